"""npm's registry as a destination, beyond what every destination promises: its rules, rights and secrets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from switchover.decide.outcome import Done, Skipped
from switchover.decide.pointers import PENDING
from switchover.errors import InputError, TargetError
from tests.npm_fixtures import REASON, NpmCase, npm_case, npm_component, publish, read_packument, write_tarball
from tests.real_parts.node import environment
from tests.real_parts.scripted_proxy import Scene, ScriptedProxy
from tests.real_parts.verdaccio import Verdaccio


def stand_in(proxy: ScriptedProxy, document: object) -> None:
    """Let the registry say this of every package."""
    proxy.add(Scene("GET", status=200, body=json.dumps(document).encode(), times=None))


def test_npm_makes_the_first_version_latest_and_later_ones_wait_for_their_tags(npm_package: NpmCase) -> None:
    publish(npm_package, "1.0.0")
    assert npm_package.open().read_pointers(npm_package.component("1.0.0")) == {"latest": "1.0.0", PENDING: "1.0.0"}
    publish(npm_package, "2.0.0")
    assert npm_package.open().read_pointers(npm_package.component("2.0.0")) == {"latest": "1.0.0", PENDING: "2.0.0"}
    npm_package.open().move_pointer(npm_package.component("2.0.0"), PENDING, "")
    assert npm_package.open().read_pointers(npm_package.component("2.0.0")) == {"latest": "1.0.0"}


def test_a_package_without_a_scope_is_published_too(verdaccio: Verdaccio, tmp_path: Path) -> None:
    npm_package = NpmCase(
        verdaccio.url, verdaccio.token, tmp_path, name=f"plain-{npm_case(verdaccio, tmp_path).name[6:]}"
    )
    publish(npm_package, "1.0.0")
    assert npm_package.open().list_versions(npm_package.component("1.0.0")) == ("1.0.0",)


@pytest.mark.parametrize("key", ["registry", "scope"])
def test_a_package_that_is_meant_for_another_registry_is_refused(
    npm_package: NpmCase, tmp_path: Path, key: str
) -> None:
    component = npm_package.component("1.0.1")
    scope = component.package.partition("/")[0]
    wish = {"registry" if key == "registry" else f"{scope}:registry": "http://127.0.0.1:1/"}
    archive = write_tarball(tmp_path, component, "one", publishConfig=wish)
    for attempt in (npm_package.open().identify, npm_package.open().publish):
        with pytest.raises(InputError, match="meant for another registry"):
            attempt(component, archive)
    assert npm_package.open().find(component) is None


def test_a_package_cannot_take_another_tag_or_leave_itself_out(npm_package: NpmCase, tmp_path: Path) -> None:
    publish(npm_package, "1.0.0")
    component = npm_package.component("1.0.1")
    archive = write_tarball(tmp_path, component, "one", publishConfig={"tag": "latest", "dry-run": True})
    published = npm_package.open().publish(component, archive)
    assert published == npm_package.open().find(component)
    assert npm_package.open().read_pointers(component)["latest"] == "1.0.0"


def test_what_a_person_has_configured_does_not_change_a_release(npm_package: NpmCase, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home/.npmrc").write_text("dry-run=true\ntag=wrong\nregistry=http://127.0.0.1:1/\n", encoding="utf-8")
    environ = {
        **environment(),
        "HOME": str(tmp_path / "home"),
        "npm_config_dry_run": "true",
        "npm_config_tag": "wrong",
        "npm_config_userconfig": str(tmp_path / "home/.npmrc"),
    }
    publish(npm_package, "1.0.0", environ=environ)
    assert PENDING in npm_package.open().read_pointers(npm_package.component("1.0.0"))


def test_the_registry_learns_no_path_of_this_machine(npm_package: NpmCase, tmp_path: Path) -> None:
    publish(npm_package, "1.0.0")
    assert str(tmp_path) not in json.dumps(read_packument(npm_package))


def test_the_final_tag_is_given_at_once_where_it_is_known(npm_package: NpmCase) -> None:
    publish(npm_package, "1.0.0")
    publish(npm_package, "2.0.0-beta.0", final_tag=lambda component: f"next-{component.version[0]}")
    assert npm_package.open().read_pointers(npm_package.component("1.0.0")) == {
        "latest": "1.0.0",
        PENDING: "1.0.0",
        "next-2": "2.0.0-beta.0",
    }


def test_the_login_of_npm_itself_publishes_and_then_no_tag_moves(npm_package: NpmCase, tmp_path: Path) -> None:
    place = npm_package.url.removeprefix("http:")
    (tmp_path / ".npmrc").write_text(f"{place}:_authToken=${{OWN_TOKEN}}\n", encoding="utf-8")
    own: dict[str, Any] = {
        "environ": {**environment(), "OWN_TOKEN": npm_package.token},
        "token": "",
        "final_tag": lambda _: "latest",
    }
    publish(npm_package, "1.0.0", **own)
    publish(npm_package, "1.1.0", **own)
    destination, component = npm_package.open(**own), npm_package.component("1.1.0")
    assert destination.read_pointers(component) == {"latest": "1.1.0"}
    destination.move_pointer(component, "latest", "1.1.0")
    with pytest.raises(TargetError, match="neither OIDC nor npm's own login moves tags"):
        destination.move_pointer(component, "latest", "1.0.0")
    assert destination.withdraw(component, REASON) == npm_package.open().withdraw(component, REASON)
    assert read_packument(npm_package)["versions"]["1.1.0"]["deprecated"] == REASON


def test_the_commit_is_what_the_registry_says_and_empty_otherwise(npm_package: NpmCase, tmp_path: Path) -> None:
    publish(npm_package, "1.0.0")
    stated = npm_package.component("1.0.1")
    npm_package.open().publish(stated, write_tarball(tmp_path, stated, "one", gitHead="c" * 40))
    commits = [npm_package.open().find(npm_package.component(version)) for version in ("1.0.0", "1.0.1")]
    assert [each and each.source_commit for each in commits] == ["", "c" * 40]


def test_nothing_is_sent_that_is_not_the_component(proxied: NpmCase, proxy: ScriptedProxy, tmp_path: Path) -> None:
    component = proxied.component("1.0.0")
    garbage, empty = tmp_path / "garbage.tgz", tmp_path / "empty.tgz"
    garbage.write_bytes(b"\x1f\x8b garbage")
    empty.write_bytes(b"")
    archives = [
        write_tarball(tmp_path, npm_component("@acme/other", "1.0.0"), "one"),
        proxied.archive(proxied.component("1.0.1"), "one"),
        write_tarball(tmp_path, component, "one", private=True),
        garbage,
        empty,
    ]
    for archive in archives:
        with pytest.raises(InputError, match="cannot be published as"):
            proxied.open().publish(component, archive)
    assert proxy.asked == []


def test_an_unpublished_version_is_never_used_again(proxied: NpmCase, proxy: ScriptedProxy) -> None:
    times = {"created": "2026-01-01", "modified": "2026-01-01", "1.0.0": "2026-01-01", "1.0.1": "2026-01-01"}
    stand_in(proxy, {"name": proxied.name, "versions": {"1.0.1": {}}, "time": times, "dist-tags": {"latest": "1.0.0"}})
    assert proxied.open().find(proxied.component("1.0.0")) is None
    assert proxied.open().read_pointers(proxied.component("1.0.0")) == {"latest": ""}
    with pytest.raises(InputError, match="can never be published again"):
        publish(proxied, "1.0.0")
    proxy.scenes.clear()
    gone = {"created": "2026-01-01", "unpublished": {"versions": ["1.0.0"], "time": "2026-01-02"}}
    stand_in(proxy, {"name": proxied.name, "time": gone})
    with pytest.raises(InputError, match="can never be published again"):
        publish(proxied, "1.0.0")
    assert proxy.count("PUT") == 0


def test_a_tag_that_npm_cannot_take_is_refused(npm_package: NpmCase) -> None:
    publish(npm_package, "1.0.0")
    for pointer in ("1", "1.4", "v2", "^1.0.0", "latest ", "a/b", "x", ""):
        with pytest.raises(InputError, match="nothing that npm can read as a range"):
            npm_package.open().move_pointer(npm_package.component("1.0.0"), pointer, "1.0.0")
    assert set(npm_package.open().read_pointers(npm_package.component("1.0.0"))) == {"latest", PENDING}


def test_latest_can_move_and_not_go(npm_package: NpmCase) -> None:
    publish(npm_package, "1.0.0")
    publish(npm_package, "2.0.0")
    npm_package.open().move_pointer(npm_package.component("2.0.0"), "latest", "2.0.0")
    with pytest.raises(InputError, match="no package of npm is without `latest`"):
        npm_package.open().move_pointer(npm_package.component("2.0.0"), "latest", "")
    assert npm_package.open().read_pointers(npm_package.component("2.0.0"))["latest"] == "2.0.0"


def test_a_withdrawn_version_warns_whoever_installs_it_and_says_what_npm_does_not_allow(
    proxied: NpmCase, proxy: ScriptedProxy
) -> None:
    publish(proxied, "1.0.0")
    publish(proxied, "1.0.1")
    component, before = proxied.component("1.0.1"), proxy.count("PUT")
    outcomes = [proxied.open().withdraw(component, f"--  {REASON}\n") for _ in range(2)]
    assert outcomes[0] == outcomes[1]
    assert isinstance(outcomes[0], Done)
    assert "neither removed at will nor ever used again" in outcomes[0].detail
    assert proxy.count("PUT") == before + 1
    versions = read_packument(proxied)["versions"]
    assert versions["1.0.1"]["deprecated"] == f"-- {REASON}"
    assert "deprecated" not in versions["1.0.0"]
    proxied.open().withdraw(component, "It loses orders.")
    assert read_packument(proxied)["versions"]["1.0.1"]["deprecated"] == "It loses orders."


def test_a_registry_that_knows_no_deprecation_is_a_skip_that_says_so(proxied: NpmCase, proxy: ScriptedProxy) -> None:
    publish(proxied, "1.0.0")
    proxy.add(Scene("PUT", status=405, body=b"{}"))
    outcome = proxied.open().withdraw(proxied.component("1.0.0"), REASON)
    assert isinstance(outcome, Skipped)
    assert "no deprecation" in outcome.reason


def test_nothing_is_withdrawn_without_a_reason(npm_package: NpmCase) -> None:
    publish(npm_package, "1.0.0")
    with pytest.raises(InputError, match="a reason"):
        npm_package.open().withdraw(npm_package.component("1.0.0"), " \n")
