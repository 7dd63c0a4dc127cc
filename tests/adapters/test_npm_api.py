"""What an npm registry may answer, and what of it is believed."""

from __future__ import annotations

import json
import threading
from dataclasses import replace

import pytest

from switchover.adapters.npm_api import LARGEST_BYTES
from switchover.adapters.npm_registry import Patience
from switchover.errors import TargetError
from tests.npm_fixtures import NpmCase, publish
from tests.real_parts.scripted_proxy import Scene, ScriptedProxy, scripted_proxy
from tests.real_parts.verdaccio import Verdaccio

HASTY = Patience(answer=0.5)
TROUBLES = {
    "an error": Scene("GET", status=500, body=b"our database is on fire"),
    "an overload": Scene("GET", status=429),
    "silence": Scene("GET"),
    "a closed connection": Scene("GET"),
    "half an answer": Scene("GET", status=200, body=b'{"name": "@acme/ui", "versions": {}}', cut=20),
    "an endless answer": Scene("GET", status=200, body=b" " * 200, drip_seconds=0.1),
    "garbage": Scene("GET", status=200, body=b"<html>Welcome to the Wi-Fi</html>"),
    "a list": Scene("GET", status=200, body=b"[]"),
    "a deep nest": Scene("GET", status=200, body=b"[" * 200_000),
    "another package": Scene("GET", status=200, body=b'{"name": "other", "versions": {}}'),
}


@pytest.mark.parametrize("name", TROUBLES)
def test_a_registry_that_does_not_say_what_it_has_is_no_registry_without_it(
    proxied: NpmCase, proxy: ScriptedProxy, name: str
) -> None:
    proxy.add(replace(TROUBLES[name], release=threading.Event() if name == "silence" else None))
    with pytest.raises(TargetError, match="did not say what it has") as refused:
        proxied.open(patience=HASTY).find(proxied.component("1.0.0"))
    assert proxied.token not in str(refused.value)


def test_of_a_huge_answer_no_more_is_read_than_any_package_needs(proxied: NpmCase, proxy: ScriptedProxy) -> None:
    proxy.add(Scene("GET", status=200, body=b" " * (LARGEST_BYTES + 1)))
    with pytest.raises(TargetError, match=f"more than {LARGEST_BYTES} bytes"):
        proxied.open(patience=Patience(answer=60.0)).find(proxied.component("1.0.0"))


@pytest.mark.parametrize(
    "document",
    [
        {"versions": []},
        {"versions": {"1.0.0": 7}},
        {"versions": {}, "dist-tags": {"latest": 7}},
        {"versions": {}, "time": "yesterday"},
        {"versions": {"1.0.0": {"dist": {"integrity": "sha1-AAAA"}}}},
        {"versions": {"1.0.0": {"dist": "none"}}},
    ],
)
def test_a_document_of_another_shape_is_not_believed(proxied: NpmCase, proxy: ScriptedProxy, document: object) -> None:
    body = json.dumps({"name": proxied.name, **document}).encode() if isinstance(document, dict) else b""
    proxy.add(Scene("GET", status=200, body=body))
    with pytest.raises(TargetError):
        proxied.open().find(proxied.component("1.0.0"))


def test_what_is_meant_for_the_registry_is_not_told_to_another_address(
    proxied: NpmCase, proxy: ScriptedProxy, verdaccio: Verdaccio
) -> None:
    publish(proxied)
    with scripted_proxy(verdaccio.url) as other:
        place = f"{other.url}{proxied.name.replace('/', '%2f')}"
        proxy.add(Scene("GET", status=302, headers={"location": place}))
        assert proxied.open().find(proxied.component("1.0.0")) is not None
        assert other.authorizations == [""]
