"""Who may publish to an npm registry, and what everybody else is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from switchover.errors import InputError, MissingProgramError, TargetError
from tests.npm_fixtures import REASON, NpmCase, publish, read_packument
from tests.real_parts.node import environment
from tests.real_parts.scripted_proxy import Scene, ScriptedProxy
from tests.real_parts.verdaccio import Verdaccio


def test_a_token_without_the_right_changes_nothing_and_the_missing_right_is_named(
    npm_package: NpmCase, verdaccio: Verdaccio
) -> None:
    publish(npm_package, "1.0.0")
    before = read_packument(npm_package)
    reader, component = npm_package.open(token=verdaccio.reader_token), npm_package.component("1.0.0")
    next_one = npm_package.component("1.0.1")
    with pytest.raises(InputError, match="the right to publish the package"):
        reader.publish(next_one, npm_package.archive(next_one, "one"))
    with pytest.raises(InputError, match="the right to change tags of the package"):
        reader.move_pointer(component, "stable", "1.0.0")
    with pytest.raises(InputError, match="the right to publish the package"):
        reader.withdraw(component, REASON)
    assert reader.find(component) == npm_package.open().find(component)
    assert read_packument(npm_package) == before


def test_a_wrong_token_and_none_at_all_are_the_users_mistake(npm_package: NpmCase, tmp_path: Path) -> None:
    publish(npm_package, "1.0.0")
    (tmp_path / "home").mkdir()
    nobody = {**environment(), "HOME": str(tmp_path / "home")}
    next_one = npm_package.component("1.0.1")
    for token, expected in {"no-such-token": "a token that the registry knows", "": "a token, or a login"}.items():
        with pytest.raises(InputError, match=expected) as refused:
            npm_package.open(token=token, environ=nobody).publish(next_one, npm_package.archive(next_one, "one"))
        assert "no-such-token" not in str(refused.value)
        with pytest.raises((InputError, TargetError), match=r"change tags of the package|a token in"):
            npm_package.open(token=token, environ=nobody).move_pointer(next_one, "stable", "1.0.0")
    assert npm_package.open().list_versions(next_one) == ("1.0.0",)


@pytest.mark.parametrize("status", [401, 403])
def test_a_registry_that_lets_nobody_read_is_asked_with_another_token(
    proxied: NpmCase, proxy: ScriptedProxy, status: int
) -> None:
    proxy.add(Scene("GET", status=status, times=None))
    with pytest.raises(InputError, match="the right to read the package") as refused:
        proxied.open().find(proxied.component("1.0.0"))
    assert proxied.token not in str(refused.value)


@pytest.mark.parametrize("token", ["two words", "line\nbreak", "naïve", "nul\x00"])
def test_a_token_that_no_header_can_hold_is_refused_and_not_shown(npm_package: NpmCase, token: str) -> None:
    with pytest.raises(InputError, match="visible ASCII") as refused:
        npm_package.open(token=token)
    assert token not in str(refused.value)


def test_blanks_around_a_token_do_not_matter(npm_package: NpmCase) -> None:
    publish(npm_package, "1.0.0", token=f" {npm_package.token}\n")
    assert npm_package.open().find(npm_package.component("1.0.0")) is not None


def test_without_npm_the_missing_program_is_named(npm_package: NpmCase, tmp_path: Path) -> None:
    with pytest.raises(MissingProgramError, match="the program npm"):
        publish(npm_package, "1.0.0", environ={"PATH": str(tmp_path)})


def test_provenance_that_npm_cannot_state_here_is_the_users_mistake(npm_package: NpmCase, tmp_path: Path) -> None:
    nowhere = {"PATH": environment()["PATH"], "HOME": str(tmp_path)}
    with pytest.raises(InputError, match="settings that npm can follow"):
        publish(npm_package, "1.0.0", provenance=True, environ=nowhere)
    assert npm_package.open().find(npm_package.component("1.0.0")) is None
