from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from switchover.adapters.git_history import GitHistory
from switchover.adapters.workspace import FolderWorkspace
from switchover.decide.snapshot import Snapshot
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


def private(root: Path, config: dict[str, Any]) -> Repository:
    """A private example beside a package, versioned by changesets 2."""
    repository = new_repository(root)
    repository.commit(
        "feat: start",
        {
            "package.json": {"workspaces": ["packages/*"], "devDependencies": {"@changesets/cli": "^2.29.0"}},
            "packages/core/package.json": {"name": "core", "version": "1.0.0"},
            "packages/example/package.json": {"name": "example", "version": "0.0.0", "private": True},
            ".changeset/config.json": config,
        },
    )
    repository.git("tag", "core@1.0.0")
    return repository


def test_commits_version_a_private_package_only_where_somebody_asked_for_it(tmp_path: Path) -> None:
    private(tmp_path / "a", {})
    assert versions(tmp_path / "a") == {}
    assert plan(tmp_path / "a").versions.unreleased == ()
    private(tmp_path / "b", {"privatePackages": {"version": True}})
    assert versions(tmp_path / "b") == {"example": "0.1.0"}


def test_changesets_2_versions_a_private_package_unasked(tmp_path: Path) -> None:
    repository = private(tmp_path, {})
    repository.commit("docs: ask", {".changeset/x.md": "---\nexample: minor\n---\n\nMore.\n"})
    assert versions(tmp_path) == {"example": "0.1.0"}


@pytest.mark.parametrize(
    ("tag", "advice"),
    [
        ("{name}-v1.0.0", 'release.tag_format = "{name}-v{version}"'),
        ("v1.0.0", "release.single_version = true"),
        (
            "1.0.0",
            "release.single_version = true in switchover.toml if all packages share one version, and release.tag",
        ),
    ],
)
def test_tags_of_another_form_are_told_with_the_setting_for_them(tmp_path: Path, tag: str, advice: str) -> None:
    repository = new_repository(tmp_path)
    files: dict[str, str | dict[str, Any]] = {
        f"packages/{name}/package.json": {"name": name, "version": "1.0.0"} for name in "ab"
    }
    repository.commit("feat: start", {"package.json": {"workspaces": ["packages/*"]}, **files})
    assert plan(tmp_path).notices == (
        "this history has no tags; where releases have some, fetch them: git fetch --tags",
    )
    repository.git("tag", "v0.9.0")
    assert plan(tmp_path).notices == ()
    for name in "ab":
        repository.git("tag", "--force", tag.replace("{name}", name))
    assert advice in plan(tmp_path).notices[0]


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


def test_a_shallow_clone_that_holds_every_answer_is_planned(tmp_path: Path) -> None:
    repository = single(tmp_path / "origin")
    repository.git("tag", "v1.0.0")
    repository.commit("feat: more", {"src/y.py": "y = 1\n"})
    clone = tmp_path / "clone"
    repository.git("clone", "--quiet", "--depth=2", f"file://{repository.root}", str(clone))
    assert versions(clone) == {"solo": "1.1.0"}


def test_a_detached_head_and_a_sparse_checkout_give_the_same_plan(tmp_path: Path) -> None:
    repository = new_workspace(tmp_path)
    whole = plan(tmp_path)
    repository.git("checkout", "--quiet", "--detach")
    assert plan(tmp_path) == whole
    repository.git("sparse-checkout", "set", "--cone", "services")
    assert not (tmp_path / "packages").exists()
    assert plan(tmp_path) == whole


def test_a_package_that_lost_its_tag_is_released_as_it_stands(tmp_path: Path) -> None:
    repository = new_workspace(tmp_path)
    repository.git("tag", "--delete", "@acme/core@1.0.0")
    planned = plan(tmp_path)
    assert "@acme/core" in planned.versions.unreleased
    assert "@acme/core" not in {each.name for each in planned.versions.changes}


def test_a_release_commit_says_what_is_released_until_there_is_a_tag(tmp_path: Path) -> None:
    repository = single(tmp_path)
    repository.commit("chore(release): solo@1.0.0\n\nSwitchover-Release: solo@1.0.0")
    assert plan(tmp_path).versions.unreleased == ()
    repository.commit("fix: a slip", {"src/x.py": "x = 2\n"})
    assert versions(tmp_path) == {"solo": "1.0.1"}


def test_commits_do_not_count_where_changesets_alone_decide(tmp_path: Path) -> None:
    new_workspace(tmp_path)
    settings = ReleaseSettings(commits=False, private_packages=True)
    planned = plan_release(FolderWorkspace(tmp_path), GitHistory(tmp_path), settings)
    assert {each.name: each.new_version for each in planned.versions.changes} == {"cart": "1.1.0"}


MANIFEST = {"name": "root", "private": True, "workspaces": ["*"]}
PEERS: dict[str, str | dict[str, object]] = {
    "a/package.json": {"name": "a", "version": "1.0.0"},
    "b/package.json": {"name": "b", "version": "1.0.0", "peerDependencies": {"a": "^1.0.0"}},
    ".changeset/x.md": '---\n"a": minor\n---\n\nMore.\n',
}


@pytest.mark.parametrize(
    ("declared", "stated", "expected"),
    [
        ({}, None, {"a": "1.1.0"}),
        ({"devDependencies": {"@changesets/cli": "^2.29.0"}}, None, {"a": "1.1.0", "b": "2.0.0"}),
        ({"devDependencies": {"@changesets/cli": "^2.29.0"}}, 3, {"a": "1.1.0"}),
        ({"devDependencies": {"@changesets/cli": "^3.0.0"}}, 2, {"a": "1.1.0", "b": "2.0.0"}),
        ({"devDependencies": {"@changesets/cli": "^4.0.0"}}, None, {"a": "1.1.0"}),
    ],
)
def test_the_rules_are_those_of_the_changesets_that_the_repository_declares_unless_stated(
    tmp_path: Path, declared: dict[str, object], stated: int | None, expected: dict[str, str]
) -> None:
    repository = new_repository(tmp_path)
    repository.commit("chore: start", {"package.json": {**MANIFEST, **declared}, **PEERS})
    settings = ReleaseSettings(compat=stated)
    planned = plan_release(FolderWorkspace(tmp_path), GitHistory(tmp_path), settings)
    assert {each.name: each.new_version for each in planned.versions.changes} == expected


def test_a_channel_counts_prereleases_and_the_stable_branch_finishes_them(tmp_path: Path) -> None:
    repository = single(tmp_path)
    repository.git("tag", "v1.0.0")
    beta = ReleaseSettings(channel="beta")

    def release(settings: ReleaseSettings) -> str:
        """Plan, and leave the checkout as if that had been released."""
        planned = plan_release(FolderWorkspace(tmp_path), GitHistory(tmp_path), settings)
        new = "".join(each.new_version for each in planned.versions.changes)
        if new:
            message = f"chore(release): solo@{new}\n\nSwitchover-Release: solo@{new}"
            repository.commit(message, {"pyproject.toml": PROJECT.format(new)})
            repository.git("tag", "--annotate", "--message", new, f"v{new}")
        return new

    repository.commit("feat: more", {"src/y.py": "y = 1\n"})
    assert (release(beta), release(beta)) == ("1.1.0-beta.0", "")
    repository.commit("fix: a slip", {"src/y.py": "y = 2\n"})
    assert release(beta) == "1.1.0-beta.1"
    repository.commit("feat!: less", {"src/y.py": "y = 3\n"})
    assert release(beta) == "2.0.0-beta.0"
    assert (release(ReleaseSettings()), release(ReleaseSettings())) == ("2.0.0", "")
    repository.commit("fix: another", {"src/y.py": "y = 4\n"})
    assert release(beta) == "2.0.1-beta.0"


def test_a_snapshot_is_planned_of_changesets_and_commits(tmp_path: Path) -> None:
    new_workspace(tmp_path)
    snapshot = Snapshot(0, tag="pr-1")
    planned = plan_release(FolderWorkspace(tmp_path), GitHistory(tmp_path), ReleaseSettings(), snapshot)
    assert {each.new_version for each in planned.versions.changes} == {"0.0.0-pr-1-19700101000000"}
