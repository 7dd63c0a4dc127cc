"""Debian's `docker-registry` on a free port of loopback, without any authentication, with passwords or with tokens."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.cluster.debian import program, unpacked
from tests.cluster.processes import await_ready
from tests.cluster.processes import start as start_child

USER, PASSWORD = "releaser", "a word for tests"
# Of the password, by bcrypt, at its lowest cost.
_HASH = "$2b$04$ouc32jGkbdnxVElvEgN49Oxodade2nABNrjvrcNcr1pcz.9t7JKIm"
_LISTENING = re.compile(r"listening on (127\.0\.0\.1:\d+)")
_SECONDS_TO_START = 30


@contextmanager
def docker_registry(
    folder: Path,
    *,
    passwords: bool = False,
    auth: Mapping[str, Any] | None = None,
    deletes: bool = True,
    relative: bool = False,
) -> Iterator[str]:
    """Its "host:port" while it serves an empty registry that is kept in the folder.

    `passwords` lets in `USER` with `PASSWORD` only, `auth` is a section of the registry's own configuration instead.
    With `relative` it tells places without its address.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if passwords:
        (folder / "htpasswd").write_text(f"{USER}:{_HASH}\n")
        auth = {"htpasswd": {"realm": "tests", "path": str(folder / "htpasswd")}}
    # JSON is YAML.
    configuration = folder / "config.yml"
    configuration.write_text(
        json.dumps(
            {
                "version": "0.1",
                "log": {"level": "info", "accesslog": {"disabled": True}},
                "storage": {"filesystem": {"rootdirectory": str(folder / "blobs")}, "delete": {"enabled": deletes}},
                "http": {
                    "addr": "127.0.0.1:0",
                    "secret": "one registry needs no shared secret",
                    "relativeurls": relative,
                },
                **({"auth": auth} if auth else {}),
            }
        )
    )
    served = program(unpacked("registry", ["docker-registry"]), "docker-registry")
    child = start_child("registry", [served, "serve", configuration], logs=folder)
    try:
        await_ready(child, lambda: bool(_LISTENING.search(child.log.read_text())), within=_SECONDS_TO_START)
        yield _LISTENING.findall(child.log.read_text())[0]
    finally:
        child.stop()
