"""What becomes of a publication when the network, the registry or npm fails in the middle of it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from switchover.adapters.npm_registry import Patience
from switchover.errors import InputError, TargetError
from tests.npm_fixtures import REASON, NpmCase, publish
from tests.real_parts.node import environment
from tests.real_parts.scripted_proxy import Scene, ScriptedProxy
from tests.real_parts.verdaccio import Verdaccio

_SECONDS = 60.0


def digest(case: NpmCase, content: str) -> str:
    component = case.component("1.0.0")
    return case.open().identify(component, case.archive(component, content)).digest


def test_nothing_is_published_while_the_registry_does_not_say_what_it_has(
    proxied: NpmCase, proxy: ScriptedProxy
) -> None:
    proxy.add(Scene("GET", status=503))
    with pytest.raises(TargetError):
        publish(proxied)
    assert proxy.count("PUT") == 0
    assert publish(proxied).digest == digest(proxied, "one")


@pytest.mark.parametrize("status", [0, 500, 503])
def test_a_publication_whose_answer_got_lost_is_seen_and_not_repeated(
    proxied: NpmCase, proxy: ScriptedProxy, status: int
) -> None:
    proxy.add(Scene("PUT", status=status, passes_on=True))
    assert publish(proxied).digest == digest(proxied, "one")
    assert proxy.count("PUT") == 1


@pytest.mark.parametrize("status", [0, 409, 500])
def test_a_publication_that_did_not_land_can_be_repeated(proxied: NpmCase, proxy: ScriptedProxy, status: int) -> None:
    proxy.add(Scene("PUT", status=status, body=b'{"error": "Failed to save packument"}'))
    with pytest.raises(TargetError, match="did not take") as failed:
        publish(proxied)
    assert "npm ended with" in failed.value.problem.found
    assert publish(proxied).digest == digest(proxied, "one")
    assert proxy.count("PUT") == 2


def test_a_version_that_shows_late_is_waited_for(proxied: NpmCase, proxy: ScriptedProxy) -> None:
    proxy.add(Scene("GET", status=404, body=b"{}", times=None, until="PUT"))
    proxy.add(Scene("GET", status=404, body=b"{}", times=2))
    assert publish(proxied).digest == digest(proxied, "one")
    assert proxy.count("PUT") == 1


def test_a_registry_that_falls_silent_after_the_publication_leaves_it_open(
    proxied: NpmCase, proxy: ScriptedProxy
) -> None:
    proxy.add(Scene("GET", status=404, body=b"{}", times=None, until="PUT"))
    silence = proxy.add(Scene("GET", status=500, times=None))
    with pytest.raises(TargetError, match="is not known"):
        publish(proxied)
    silence.times = 0
    assert publish(proxied).digest == digest(proxied, "one")
    assert proxy.count("PUT") == 1


RACE: dict[str, Callable[[], Scene | None]] = {
    "E409": lambda: None,  # Verdaccio's own answer
    "E403": lambda: Scene(
        "PUT",
        status=403,
        body=b'{"error": "You cannot publish over the previously published versions: 1.0.0."}',
        passes_on=True,
    ),
}


@pytest.mark.parametrize("code", RACE)
def test_a_race_is_won_by_the_same_bytes_whoever_published_them(
    proxied: NpmCase, proxy: ScriptedProxy, verdaccio: Verdaccio, code: str
) -> None:
    lose_race(proxied, proxy, verdaccio, code, "one")
    assert publish(proxied).digest == digest(proxied, "one")
    assert proxy.count("PUT") == 1


@pytest.mark.parametrize("code", RACE)
def test_a_race_that_others_won_with_other_bytes_is_refused_with_both_digests(
    proxied: NpmCase, proxy: ScriptedProxy, verdaccio: Verdaccio, code: str
) -> None:
    lose_race(proxied, proxy, verdaccio, code, "two")
    with pytest.raises(InputError, match="with other bytes") as refused:
        publish(proxied)
    assert refused.value.problem.expected == digest(proxied, "two")
    assert refused.value.problem.found == digest(proxied, "one")


def lose_race(proxied: NpmCase, proxy: ScriptedProxy, verdaccio: Verdaccio, code: str, content: str) -> None:
    """Let somebody publish between our question, npm's question, and the publication."""
    publish(NpmCase(verdaccio.url, proxied.token, proxied.folder, proxied.name), content=content)
    proxy.add(Scene("GET", status=404, body=b"{}", times=None, until="PUT"))
    if scene := RACE[code]():
        proxy.add(scene)


def test_a_number_that_npm_calls_used_up_is_said_to_be(proxied: NpmCase, proxy: ScriptedProxy) -> None:
    said = b'{"error": "Cannot publish over previously published version \\"1.0.0\\"."}'
    proxy.add(Scene("PUT", status=403, body=said))
    with pytest.raises(InputError, match="can never be published again"):
        publish(proxied)


@pytest.mark.parametrize("passes_on", [False, True])
def test_an_npm_that_is_killed_in_the_middle_leaves_nothing_that_a_repetition_cannot_finish(
    proxied: NpmCase, proxy: ScriptedProxy, *, passes_on: bool
) -> None:
    scene = proxy.add(Scene("PUT", passes_on=passes_on, release=threading.Event()))
    with ThreadPoolExecutor(1) as pool:
        going = pool.submit(publish, proxied)
        assert scene.happened.wait(_SECONDS)
        for process in proxied.find_npm():
            process.kill()
        if passes_on:
            assert going.result(_SECONDS).digest == digest(proxied, "one")
        else:
            with pytest.raises(TargetError, match="did not take"):
                going.result(_SECONDS)
    assert publish(proxied).digest == digest(proxied, "one")
    assert proxy.count("PUT") == (1 if passes_on else 2)


def test_an_npm_that_does_not_end_is_ended_with_all_that_it_started(proxied: NpmCase, tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "npm").write_text(f"#!/bin/sh\nsleep 600 &\necho $! > {tmp_path}/pid\nwait\n", encoding="utf-8")
    (programs / "npm").chmod(0o755)
    stuck = replace(proxied, environ={"PATH": f"{programs}:{os.defpath}"})
    with pytest.raises(TargetError, match="did not end in time"):
        publish(stuck, patience=Patience(npm=2.0, looks=(0.0,)))
    assert (tmp_path / "pid").exists()
    assert stuck.find_npm() == []
    assert publish(proxied).digest == digest(proxied, "one")


def test_a_move_whose_answer_got_lost_counts_and_one_that_did_not_happen_is_repeated(
    proxied: NpmCase, proxy: ScriptedProxy
) -> None:
    publish(proxied)
    component = proxied.component("1.0.0")
    proxy.add(Scene("PUT", "dist-tags", passes_on=True))
    proxied.open().move_pointer(component, "stable", "1.0.0")
    proxy.add(Scene("DELETE", "dist-tags", status=500))
    with pytest.raises(TargetError, match="did not move"):
        proxied.open().move_pointer(component, "stable", "")
    proxied.open().move_pointer(component, "stable", "")
    assert "stable" not in proxied.open().read_pointers(component)


def test_a_warning_whose_answer_got_lost_counts_and_one_that_did_not_land_is_repeated(
    proxied: NpmCase, proxy: ScriptedProxy
) -> None:
    publish(proxied)
    component = proxied.component("1.0.0")
    proxy.add(Scene("PUT", status=500))
    with pytest.raises(TargetError, match="the warning"):
        proxied.open().withdraw(component, REASON)
    proxy.add(Scene("PUT", passes_on=True))
    before = proxy.count("PUT")
    proxied.open().withdraw(component, REASON)
    proxied.open().withdraw(component, REASON)
    assert proxy.count("PUT") == before + 1


def test_the_token_is_in_no_argument_and_no_file_and_nothing_is_left_behind(
    proxied: NpmCase, proxy: ScriptedProxy, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    case = NpmCase(proxied.url, proxied.token, tmp_path, proxied.name, {**environment(), "HOME": str(home)})
    scene = proxy.add(Scene("PUT", status=500, body=case.token.encode(), release=threading.Event()))
    with ThreadPoolExecutor(1) as pool:
        going = pool.submit(publish, case)
        assert scene.happened.wait(_SECONDS)
        arguments = [argument for process in case.find_npm() for argument in process.cmdline()]
        (folder,) = {Path(each.partition("=")[2]).parent for each in arguments if each.startswith("--userconfig=")}
        files = read_files(folder)
        assert scene.release is not None
        scene.release.set()
        with pytest.raises(TargetError) as failed:
            going.result(_SECONDS)
    assert any("SWITCHOVER_NPM_TOKEN" in content for content in files.values())
    assert not [name for name, content in files.items() if case.token in content]
    assert not [argument for argument in arguments if case.token in argument]
    assert case.token not in str(failed.value)
    assert case.token not in repr(case.open())
    assert not folder.exists()
    assert not [name for name, content in read_files(home).items() if case.token in content]


def read_files(folder: Path) -> dict[str, str]:
    """All files below a folder, with their names, as text."""
    return {
        str(file): file.read_text(encoding="utf-8", errors="replace") for file in folder.rglob("*") if file.is_file()
    }
