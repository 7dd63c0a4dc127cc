"""Runs a service: reads who it is and where it listens, adds what every service answers, obeys signals."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from acme_web.messages import Request, Response, as_json, plain
from acme_web.routes import Handler, Routes
from acme_web.server import Server

log = logging.getLogger(__name__)


def set_up_logging() -> None:
    """Write one line an event to standard output, with its level as a word."""
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")


def run(folder: Path, handlers: Mapping[str, dict[str, Handler]]) -> int:
    """Serve until SIGTERM or SIGINT; return the exit status.

    `folder` holds the service's package.json; `handlers` are its own, `/healthz` and `/version` are added.
    """
    set_up_logging()
    manifest = json.loads((folder / "package.json").read_text(encoding="utf-8"))
    port = os.environ.get("PORT", "")
    if not port.isdigit():
        log.critical("PORT must be the number of a port, found %r", port)
        return 2
    routes = Routes({**handlers, **_describe(manifest["name"], manifest["version"])})
    try:
        asyncio.run(
            _serve(Server(routes, manifest["version"]), os.environ.get("HOST", "127.0.0.1"), int(port)),
        )
    except OSError as error:
        log.critical("cannot listen on port %s: %s", port, error)
        return 1
    return 0


async def _serve(server: Server, host: str, port: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await server.run(host, port, stop)


def _describe(name: str, version: str) -> dict[str, dict[str, Handler]]:
    async def answer_health(_request: Request) -> Response:
        return plain("ok\n")

    async def answer_version(_request: Request) -> Response:
        return as_json({"name": name, "version": version})

    return {"/healthz": {"GET": answer_health}, "/version": {"GET": answer_version}}
