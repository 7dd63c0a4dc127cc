"""An application as gunicorn --preload loads it: the client is made once, in the parent, before it forks."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable

from switchover.flags import open_client

client = open_client(os.environ["SWITCHOVER_TEST_PLACE"], last_known_good=None, wait_seconds=10)


def app(_environ: dict[str, object], start: Callable[[str, list[tuple[str, str]]], object]) -> Iterable[bytes]:
    """Which process answers, and what it makes of the flag."""
    body = json.dumps({"pid": os.getpid(), "on": client.is_enabled("checkout")}).encode()
    start("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
