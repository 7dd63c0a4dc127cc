"""`switchover flags serve`: the service answers what the command line has changed, and only to those with a token."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_flags import Flags
from tests.real_parts.redis_server import wait_for

_TOKEN = "a-token-for-tests-alone"  # noqa: S105 - of this test's own server


@pytest.fixture
def shop(tmp_path: Path) -> Flags:
    made = Flags(f"file:{tmp_path / 'flags.json'}")
    made.done("set", "checkout", "--default", "on")
    return made


@contextmanager
def serving(shop: Flags) -> Iterator[str]:
    """Its address."""
    command = [sys.executable, "-m", "switchover.cli.main", "flags", "serve", "--port", "0", "--json"]
    variables = {**os.environ, "SWITCHOVER_OFREP_TOKENS": _TOKEN, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [*command, "--store", shop.store], stdout=subprocess.PIPE, text=True, env=variables
    ) as process:
        assert process.stdout is not None
        try:
            told = "".join(process.stdout.readline() for _ in range(3))
            yield json.loads(told)["address"]
        finally:
            process.terminate()
            process.wait(30)


def ask(address: str, headers: Mapping[str, str]) -> tuple[int, Any]:
    question = urllib.request.Request(  # noqa: S310 - of this test's own server
        f"{address}/ofrep/v1/evaluate/flags/checkout",
        data=b'{"context": {"targetingKey": "ann"}}',
        headers={"Content-Type": "application/json", **headers},
    )
    try:
        with urllib.request.urlopen(question, timeout=30) as answer:  # noqa: S310 - as above
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_a_kill_on_the_command_line_is_answered_by_the_service(shop: Flags) -> None:
    known = {"Authorization": f"Bearer {_TOKEN}"}
    with serving(shop) as address:
        wait_for(lambda: ask(address, known)[0] == HTTPStatus.OK)
        assert ask(address, known)[1]["value"] is True
        assert ask(address, {})[0] == HTTPStatus.UNAUTHORIZED
        shop.done("kill", "checkout", "--why", "a test")
        assert wait_for(lambda: ask(address, known)[1]["value"] is False)


@pytest.mark.parametrize(
    ("more", "token", "said"),
    [
        ((), "", "--open-to-all"),
        (("--open-to-all",), _TOKEN, "either tokens or --open-to-all"),
        ((), "kurz", "token 1 cannot be used"),
        (("--tokens", "/nowhere/tokens"), "", "/nowhere/tokens"),
    ],
)
def test_who_may_ask_has_to_be_said(shop: Flags, more: tuple[str, ...], token: str, said: str) -> None:
    command = [sys.executable, "-m", "switchover.cli.main", "flags", "serve", *more, "--store", shop.store]
    variables = {**os.environ, "SWITCHOVER_OFREP_TOKENS": token}
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert said in done.stderr
    assert not token or token not in done.stderr
