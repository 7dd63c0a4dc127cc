"""Telling people: it never fails what is told about, and never shows its address."""

from __future__ import annotations

import json
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from switchover.adapters.connect import connect_for_rollback, open_local
from switchover.adapters.environment_facts import EnvironmentFacts
from switchover.adapters.webhook_notifier import SilentNotifier, WebhookNotifier
from switchover.config import parse_config
from switchover.errors import InputError
from switchover.model import Reason
from tests.builders import an_entry

ENTRY = replace(an_entry("1.0.0"), outcome="rolled back")
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


@contextmanager
def answering(answer: bytes, heard: list[bytes]) -> Iterator[str]:
    """A server that takes one request and answers with these bytes."""

    def serve() -> None:
        connection, _ = server.accept()
        with connection:
            heard.append(connection.recv(65536))
            if b"\r\n\r\n{" not in heard[0]:
                heard.append(connection.recv(65536))
            connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/services/s3cr3t"
        thread.join()


def test_a_garbage_answer_is_only_logged(caplog: pytest.LogCaptureFixture) -> None:
    with answering(b"garbage\r\n\r\n", []) as address, caplog.at_level(logging.WARNING):
        WebhookNotifier(address, ("rolled back",)).tell("production", ENTRY)
    assert "was not delivered" in caplog.text


def test_an_address_that_is_none_is_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        WebhookNotifier("https://hooks.example/s3cr3t path\n", ("rolled back",)).tell("production", ENTRY)
    assert "was not delivered" in caplog.text
    assert "s3cr3t" not in caplog.text


def test_what_a_service_logged_cannot_ring_for_everybody() -> None:
    heard: list[bytes] = []
    reason = Reason("logs", "ERROR <!channel> & <@U1>")
    with answering(OK, heard) as address:
        WebhookNotifier(address, ("rolled back",)).tell("production", replace(ENTRY, reasons=(reason,)))
    text = json.loads(b"".join(heard).partition(b"\r\n\r\n")[2])["text"]
    assert "ERROR &lt;!channel&gt; &amp; &lt;@U1&gt;" in text


def test_an_outcome_nobody_asked_for_is_not_told() -> None:
    WebhookNotifier("http://127.0.0.1:1/", ("failed",)).tell("production", ENTRY)


DOCUMENT = {
    "project": {"name": "acme"},
    "services": {"shop": {"path": "shop", "command": ["run"]}},
    "environments": {"production": {}},
    "notifications": {"webhook_variable": "HOOK"},
}


@pytest.mark.parametrize(
    ("address", "fits"),
    [
        ("https://hooks.slack.example/services/x", True),
        ("http://127.0.0.1:8080/x", True),
        ("http://localhost/x", True),
        ("http://[::1]:8080/x", True),
        ("http://127.0.0.1.evil.example/x", False),
        ("http://localhost.evil.example/x", False),
        ("http://localhost:x@evil.example/", False),
        ("https://user@hooks.slack.example/x", False),
        ("https://hooks.slack.example:port/x", False),
        ("https:///x", False),
        ("file:///etc/passwd", False),
    ],
)
def test_only_https_or_this_machine_itself_is_told(tmp_path: Path, address: str, *, fits: bool) -> None:
    config = parse_config(DOCUMENT, tmp_path / "switchover.toml")
    if fits:
        assert isinstance(open_local(config, "production", {"HOOK": address}).ports.notifier, WebhookNotifier)
        return
    with pytest.raises(InputError, match="notification address") as caught:
        open_local(config, "production", {"HOOK": address})
    assert address not in str(caught.value)


def test_a_rollback_goes_on_without_an_address_that_can_be_used(tmp_path: Path) -> None:
    facts = EnvironmentFacts.of(parse_config(DOCUMENT, tmp_path / "switchover.toml"), "production")
    ports = connect_for_rollback(facts, start=False, environ={"HOOK": "http://evil.example/s3cr3t"})
    assert isinstance(ports.notifier, SilentNotifier)
