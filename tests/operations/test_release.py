"""The stages of a release on real repositories, and the release that is killed at every effect."""

from __future__ import annotations

import dataclasses
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from switchover.adapters.release_tools import open_release_tools, read_release_scope
from switchover.decide.outcome import Done, Failed, Outcome, Skipped
from switchover.errors import InputError, MissingProgramError, SwitchoverError
from switchover.operations.planning import ReleaseSettings
from switchover.operations.release import ReleaseReport, release
from switchover.operations.release_ports import ReleaseTools
from tests.git_repository import Repository, new_workspace

EFFECTS = ("commit_edits", "reserve", "put", "publish", "tag")


class KilledError(Exception):
    """Stands for the end of the process."""


class Dying:
    """A port that counts effects and dies right before or right after one of them."""

    def __init__(self, port: Any, count: Callable[[], None]) -> None:
        self._port, self._count = port, count

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._port, name)
        if name not in EFFECTS:
            return real

        def effect(*arguments: Any, **named: Any) -> Any:
            self._count()
            answer = real(*arguments, **named)
            self._count()
            return answer

        return effect


class Packer:
    """Packs without npm: the tarball is the manifest."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def pack(self, component: Any, commit: str, folder: Path) -> Path:
        archive: Path = folder / f"{component.name.replace('/', '-')}-{component.version}.tgz"
        archive.write_bytes(f"{component} {commit}".encode())
        return archive


class NoPacker:
    """A machine without npm."""

    def pack(self, component: Any, commit: str, folder: Path) -> Path:
        raise MissingProgramError(
            f"{component} {commit}", expected="npm", found="no npm on the PATH", next_step=str(folder)
        )


class Stage:
    """A scanner or signer with one answer."""

    def __init__(self, outcome: Outcome) -> None:
        self._outcome = outcome

    def scan(self, archive: Path) -> Outcome:
        assert archive.is_file()
        return self._outcome

    def sign(self, file: Path, signature: Path) -> Outcome:
        signature.write_bytes(b"signed " + str(id(object())).encode() + file.name.encode())
        return self._outcome


def tools_for(repository: Repository) -> tuple[ReleaseTools, ReleaseSettings]:
    scope = read_release_scope(repository.root)
    real = open_release_tools(scope.root, scope.artifacts)
    quiet = dataclasses.replace(
        real, scanner=Stage(Done("scan")), signer=Stage(Done("sign")), packer=Packer(scope.root)
    )
    return quiet, scope.settings


def run(repository: Repository, work: Path, **changed: Any) -> ReleaseReport:
    tools, settings = tools_for(repository)
    work.mkdir(parents=True, exist_ok=True)
    return release(dataclasses.replace(tools, **changed), settings, work)


def final_state(repository: Repository) -> dict[str, Any]:
    """Everything that a release leaves behind, but the signatures, which differ by nature."""
    store = tools_for(repository)[0].store
    names = ("cart", "@acme/core", "@acme/ui")
    return {
        "head": repository.git("rev-parse", "HEAD"),
        "status": repository.git("status", "--porcelain"),
        "tags": repository.git("for-each-ref", "--format=%(refname) %(objectname)", "refs/tags"),
        "notes": repository.git("for-each-ref", "refs/switchover"),
        "releases": {name: store.list_releases(name) for name in names},
        "signatures": [store.find_artifact(name, "1.0.1", "signature") is not None for name in names[1:]],
    }


def test_a_release_commits_publishes_and_tags_what_changed(tmp_path: Path) -> None:
    repository = new_workspace(tmp_path / "repository")
    report = run(repository, tmp_path / "work")
    assert sorted(str(each.component) for each in report.components) == [
        "@acme/core@1.0.1",
        "@acme/ui@1.0.1",
        "cart@1.1.0",
    ]
    assert repository.git("log", "-1", "--format=%H %s") == f"{report.commit} chore(release): cart@1.1.0 and 2 more"
    assert repository.git("ls-files", ".changeset") == ""
    assert '"@acme/core": "1.0.1"' in (repository.root / "packages/ui/package.json").read_text(encoding="utf-8")
    tags = repository.git("tag", "--points-at", report.commit).split()
    assert tags == ["@acme/core@1.0.1", "@acme/ui@1.0.1", "cart@1.1.0"]


def test_a_finished_release_that_runs_again_does_nothing(tmp_path: Path) -> None:
    repository = new_workspace(tmp_path / "repository")
    run(repository, tmp_path / "work")
    before = final_state(repository)
    again = run(repository, tmp_path / "work")
    assert (again.changed, again.components) == (False, ())
    assert final_state(repository) == before


def count_effects(repository: Repository, work: Path) -> int:
    seen: list[None] = []
    tools, _ = tools_for(repository)
    dying = {name: Dying(getattr(tools, name), lambda: seen.append(None)) for name in ("history", "store")}
    run(repository, work, **dying)
    return len(seen)


def test_a_release_killed_before_or_after_any_effect_ends_the_same_when_it_runs_again(tmp_path: Path) -> None:
    original = new_workspace(tmp_path / "original")
    undisturbed = Repository(tmp_path / "undisturbed")
    shutil.copytree(original.root, undisturbed.root)
    moments = count_effects(undisturbed, tmp_path / "work")
    expected = final_state(undisturbed)
    assert moments == 2 * (1 + 3 + 6 + 3 + 3)
    for moment in range(1, moments + 1):
        repository = Repository(tmp_path / f"killed-{moment}")
        shutil.copytree(original.root, repository.root)
        kill_at(repository, moment, tmp_path / "work")
        run(repository, tmp_path / "work")
        assert final_state(repository) == expected, f"killed at moment {moment} of {moments}"
        assert not run(repository, tmp_path / "work").changed


def kill_at(repository: Repository, moment: int, work: Path) -> None:
    left = iter(range(moment - 1, -1, -1))

    def count() -> None:
        if next(left) == 0:
            raise KilledError

    tools, _ = tools_for(repository)
    dying = {name: Dying(getattr(tools, name), count) for name in ("history", "store")}
    with pytest.raises(KilledError):
        run(repository, work, **dying)


def test_a_release_that_goes_on_after_new_commits_keeps_the_bytes_that_it_has_stored(tmp_path: Path) -> None:
    repository = new_workspace(tmp_path / "repository")
    kill_at(repository, 10, tmp_path / "work")
    store = tools_for(repository)[0].store
    stored = store.find_artifact("cart", "1.1.0", "service")
    assert (stored is None, store.find("cart", "1.1.0")) == (False, None)
    began = repository.git("rev-parse", "HEAD")
    later = repository.commit("docs: words", {"services/cart/main.py": "print('later')\n"})
    report = run(repository, tmp_path / "work")
    assert report.commit == ""
    made_of = {each.component.name: each.release.source_commit for each in report.components if each.release}
    assert made_of == {"cart": began, "@acme/core": later, "@acme/ui": later}


def test_nothing_is_published_when_a_scan_fails(tmp_path: Path) -> None:
    repository = new_workspace(tmp_path / "repository")
    with pytest.raises(SwitchoverError, match="stops at: scan"):
        run(repository, tmp_path / "work", scanner=Stage(Failed("scan", "a key in main.py")))
    state = final_state(repository)
    assert set(state["releases"].values()) == {()}
    assert "1.1.0" not in state["tags"]
    assert run(repository, tmp_path / "work").changed


@pytest.mark.parametrize(
    ("message", "version"), [("chore: take the key away", "1.1.0"), ("fix: take the key away", "1.1.1")]
)
def test_what_a_scan_found_is_repaired_by_a_commit_of_any_kind(tmp_path: Path, message: str, version: str) -> None:
    repository = new_workspace(tmp_path / "repository")
    with pytest.raises(SwitchoverError, match="commit what changed and run again"):
        run(repository, tmp_path / "work", scanner=Stage(Failed("scan", "a key in main.py")))
    repository.commit(message, {"services/cart/main.py": "print('no key')\n"})
    run(repository, tmp_path / "work")
    store = tools_for(repository)[0].store
    released = store.find("cart", version)
    assert released is not None
    with tarfile.open(store.fetch(released.artifact.digest)) as tar:
        main = tar.extractfile("main.py")
        assert main is not None
        assert main.read() == b"print('no key')\n"
    assert not run(repository, tmp_path / "work").changed


def test_a_failure_after_bytes_were_stored_asks_for_a_new_version(tmp_path: Path) -> None:
    repository = new_workspace(tmp_path / "repository")
    kill_at(repository, 10, tmp_path / "work")
    repository.commit("chore: take the key away", {"services/cart/main.py": "print('no key')\n"})
    with pytest.raises(SwitchoverError, match="changeset"):
        run(repository, tmp_path / "work", scanner=Stage(Failed("scan", "a key in main.py")))
    repository.commit("fix: say so", {"services/cart/main.py": "print('no key!')\n"})
    run(repository, tmp_path / "work")
    released = tools_for(repository)[0].store.find("cart", "1.1.1")
    assert released is not None
    assert released.source_commit == repository.git("rev-parse", "HEAD")


def test_without_npm_packages_are_skipped_and_get_no_tag_until_it_is_there(tmp_path: Path) -> None:
    repository = new_workspace(tmp_path / "repository")
    report = run(repository, tmp_path / "work", packer=NoPacker())
    outcomes = {each.component.name: each.outcomes for each in report.components}
    assert outcomes["@acme/ui"][0] == Skipped("build", "no npm on the PATH")
    assert "@acme/ui@1.0.1" not in repository.git("tag")
    assert not run(repository, tmp_path / "work", packer=NoPacker()).changed
    later = run(repository, tmp_path / "work")
    assert sorted(str(each.component) for each in later.components) == ["@acme/core@1.0.1", "@acme/ui@1.0.1"]
    assert "@acme/ui@1.0.1" in repository.git("tag")


def test_uncommitted_work_is_refused_before_anything_happens(tmp_path: Path) -> None:
    repository = new_workspace(tmp_path / "repository")
    repository.write("services/cart/main.py", "changed")
    before = final_state(repository)
    with pytest.raises(InputError, match=r"services/cart/main\.py"):
        run(repository, tmp_path / "work")
    assert final_state(repository) == before
