from __future__ import annotations

from pathlib import Path

import pytest

from switchover.adapters.git_history import GitHistory
from switchover.adapters.workspace import FolderWorkspace
from switchover.errors import InputError
from switchover.operations.planning import ReleasePlan, ReleaseSettings, plan_release
from tests.git_repository import Repository, new_repository, new_workspace

PROJECT = '[project]\nname = "solo"\nversion = "{}"\n'


def plan(root: Path) -> ReleasePlan:
    return plan_release(FolderWorkspace(root), GitHistory(root), ReleaseSettings())


def versions(root: Path) -> dict[str, str]:
    return {release.name: release.new_version for release in plan(root).versions.changes}


def single(root: Path, version: str = "1.0.0") -> Repository:
    repository = new_repository(root)
    repository.commit("feat: start", {"pyproject.toml": PROJECT.format(version), "src/x.py": "x = 1\n"})
    return repository


def test_a_single_project_counts_its_commits_since_the_last_version_tag(tmp_path: Path) -> None:
    repository = single(tmp_path)
    repository.git("tag", "v1.0.0")
    assert versions(tmp_path) == {}
    repository.commit("fix: a slip", {"src/x.py": "x = 2\n"})
    assert versions(tmp_path) == {"solo": "1.0.1"}
    repository.commit("feat: more", {"src/y.py": "y = 1\n"})
    assert versions(tmp_path) == {"solo": "1.1.0"}
    repository.commit("refactor!: less", {"src/y.py": "y = 2\n"})
    assert versions(tmp_path) == {"solo": "2.0.0"}


def test_a_project_that_was_never_tagged_grows_from_its_placeholder(tmp_path: Path) -> None:
    single(tmp_path, "0.0.0")
    assert versions(tmp_path) == {"solo": "0.1.0"}


def test_changesets_and_commits_are_planned_together(tmp_path: Path) -> None:
    repository = new_workspace(tmp_path)
    planned = plan(tmp_path)
    assert {each.name: each.new_version for each in planned.versions.changes} == {
        "@acme/core": "1.0.1",
        "@acme/ui": "1.0.1",
    }
    assert [each.id for each in planned.versions.changesets] == ["more"]
    assert planned.versions.changesets[0].commit == repository.git("rev-parse", "HEAD")


def test_planning_changes_nothing_and_is_the_same_every_time(tmp_path: Path) -> None:
    repository = new_workspace(tmp_path)
    before = repository.git("status", "--porcelain", "--ignored") + repository.git("for-each-ref")
    assert plan(tmp_path) == plan(tmp_path)
    assert repository.git("status", "--porcelain", "--ignored") + repository.git("for-each-ref") == before


def shallow_clone(repository: Repository, folder: Path) -> Path:
    repository.git("clone", "--quiet", "--depth=1", f"file://{repository.root}", str(folder))
    return folder


def test_a_shallow_clone_without_the_last_tag_is_refused(tmp_path: Path) -> None:
    repository = single(tmp_path / "origin")
    repository.git("tag", "v1.0.0")
    repository.commit("feat: more", {"src/y.py": "y = 1\n"})
    with pytest.raises(InputError, match="fetch --unshallow"):
        plan(shallow_clone(repository, tmp_path / "clone"))


def test_a_shallow_clone_with_changesets_is_planned_from_those_with_a_notice(tmp_path: Path) -> None:
    repository = new_workspace(tmp_path / "origin")
    repository.commit("docs: ask", {".changeset/core.md": '---\n"@acme/core": minor\n---\n\nMore.\n'})
    planned = plan(shallow_clone(repository, tmp_path / "clone"))
    assert {each.name: each.new_version for each in planned.versions.changes}["@acme/core"] == "1.1.0"
    assert "shallow clone" in planned.notices[0]


def test_a_tag_format_that_cannot_tell_packages_apart_is_refused(tmp_path: Path) -> None:
    new_workspace(tmp_path)
    with pytest.raises(InputError, match="tag format"):
        plan_release(FolderWorkspace(tmp_path), GitHistory(tmp_path), ReleaseSettings(tag_format="v{version}"))
