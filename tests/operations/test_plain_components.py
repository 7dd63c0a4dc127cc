"""Services without a package.json or pyproject.toml: planned, versioned and released like everything else."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from switchover.adapters.git_history import GitHistory
from switchover.adapters.release_tools import read_plan_settings
from switchover.adapters.workspace import FolderWorkspace
from switchover.adapters.workspace_writer import WorkspaceWriter
from switchover.decide.components import ComponentKind
from switchover.errors import InputError
from switchover.operations.planning import ReleasePlan, plan_release
from switchover.operations.versioning import Rewriting, plan_rewriting
from tests.git_repository import Repository, new_workspace
from tests.operations.test_release import World, make_connected

EDGE = '\n[services.edge]\npath = "services/edge"\n'
IMAGE = f"{EDGE}[services.edge.container]\n"
PROCESSES = f'{EDGE}command = ["{{python}}", "main.py"]\n'
FILES: dict[str, str | dict[str, object]] = {
    "services/edge/Dockerfile": "FROM scratch\n",
    "services/edge/main.py": "print('edge')\n",
}
CHANGESET = '---\n"edge": minor\n---\n\nThe edge does more.\n'


def add_edge(
    repository: Repository, section: str, version: str | None = None, message: str = "chore: an edge"
) -> Repository:
    """Add the service edge; one with a version is tagged."""
    settings = (repository.root / "switchover.toml").read_text(encoding="utf-8") + section
    stated = {} if version is None else {"services/edge/VERSION": version}
    repository.commit(message, {"switchover.toml": settings, **FILES, **stated})
    if version is not None:
        repository.git("tag", "--annotate", "--message", "edge", f"edge@{version.strip()}")
    return repository


def plan(root: Path) -> ReleasePlan:
    return plan_release(FolderWorkspace(root), GitHistory(root), read_plan_settings(root))


def rewrite(root: Path, planned: ReleasePlan) -> Rewriting:
    return plan_rewriting(FolderWorkspace(root), planned.packages, planned.versions)


def versions(root: Path) -> dict[str, str]:
    return {release.name: release.new_version for release in plan(root).versions.changes}


@pytest.mark.parametrize(
    ("section", "kind"), [(IMAGE, ComponentKind.IMAGE), (PROCESSES, ComponentKind.SERVICE)], ids=["image", "processes"]
)
def test_a_service_of_its_own_kind_is_a_component_called_like_its_folder(
    tmp_path: Path, section: str, kind: ComponentKind
) -> None:
    add_edge(new_workspace(tmp_path), section, "1.4.0\n")
    found = {each.name: each for each in plan(tmp_path).components}
    assert (found["edge"].version, found["edge"].kind, found["edge"].tag) == ("1.4.0", kind, "edge@1.4.0")
    assert sorted(found) == ["@acme/core", "@acme/ui", "cart", "edge"]


def test_commits_that_touch_its_folder_count_and_others_do_not(tmp_path: Path) -> None:
    repository = add_edge(new_workspace(tmp_path), IMAGE, "1.4.0\n")
    repository.commit("feat: elsewhere", {"packages/ui/more.js": "export const more = 1\n"})
    assert "edge" not in versions(tmp_path)
    repository.commit("fix: a header", {"services/edge/Dockerfile": "FROM scratch\nUSER 1\n"})
    assert versions(tmp_path)["edge"] == "1.4.1"


def test_without_the_file_every_commit_counts_and_the_plan_creates_it(tmp_path: Path) -> None:
    add_edge(new_workspace(tmp_path), IMAGE, message="feat: an edge")
    planned = plan(tmp_path)
    assert versions(tmp_path)["edge"] == "0.1.0"
    written = {each.path: each.content for each in rewrite(tmp_path, planned).edits}
    assert written["services/edge/VERSION"] == "0.1.0\n"
    assert (written["services/edge/CHANGELOG.md"] or "").startswith("# edge\n\n## 0.1.0\n\n### Minor Changes\n")


def test_without_the_file_nothing_is_written_until_a_version_moves(tmp_path: Path) -> None:
    add_edge(new_workspace(tmp_path), IMAGE)
    planned = plan(tmp_path)
    assert "edge" not in versions(tmp_path)
    assert [each.path for each in rewrite(tmp_path, planned).edits if "edge" in each.path] == []


def test_a_changeset_may_name_it(tmp_path: Path) -> None:
    repository = add_edge(new_workspace(tmp_path), IMAGE, "1.4.0\n")
    repository.commit("docs: ask", {".changeset/edge.md": CHANGESET})
    assert versions(tmp_path)["edge"] == "1.5.0"


def test_applying_the_same_plan_twice_changes_nothing_and_line_ends_stay(tmp_path: Path) -> None:
    repository = add_edge(new_workspace(tmp_path), IMAGE, "1.4.0\r\n")
    repository.commit("docs: ask", {".changeset/edge.md": CHANGESET})
    planned = plan(tmp_path)
    WorkspaceWriter.of_checkout(tmp_path).write(rewrite(tmp_path, planned).edits)
    assert (tmp_path / "services/edge/VERSION").read_bytes() == b"1.5.0\r\n"
    assert rewrite(tmp_path, planned).edits == ()


def test_a_version_that_is_none_is_refused_with_its_file(tmp_path: Path) -> None:
    add_edge(new_workspace(tmp_path), IMAGE)
    for text in ("v1.4.0\n", "1.4\n", "", "1.4.0\n1.5.0\n", "x" * 100_000):
        (tmp_path / "services/edge/VERSION").write_text(text, encoding="utf-8")
        with pytest.raises(InputError) as refused:
            plan(tmp_path)
        assert refused.value.problem.failed == "services/edge/VERSION cannot be read"
        assert refused.value.problem.expected == "one line with a semantic version such as 1.4.0"
        assert len(refused.value.problem.found) < 100


def test_a_service_of_another_name_says_which_folder_it_is(tmp_path: Path) -> None:
    renamed = IMAGE.replace("services.edge", "services.gateway")
    add_edge(new_workspace(tmp_path), renamed, "1.4.0\n")
    with pytest.raises(InputError) as refused:
        plan(tmp_path)
    assert "the file VERSION in a folder called 'gateway'" in refused.value.problem.expected
    assert refused.value.problem.found == "'edge' with version '1.4.0'"
    add = 'path = "services/edge"\npackage = "edge"\n'
    settings = (tmp_path / "switchover.toml").read_text(encoding="utf-8")
    (tmp_path / "switchover.toml").write_text(settings.replace('path = "services/edge"\n', add), encoding="utf-8")
    gateway = next(each for each in plan(tmp_path).components if each.name == "gateway")
    assert (gateway.package, gateway.tag) == ("edge", "edge@1.4.0")


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    add_edge(new_workspace(tmp_path), IMAGE.replace("services/edge", "services/egde"))
    with pytest.raises(InputError, match="the service edge cannot be released"):
        plan(tmp_path)


def test_a_dependency_of_its_name_is_another_package(tmp_path: Path) -> None:
    repository = add_edge(new_workspace(tmp_path), IMAGE, "1.4.0\n")
    manifest = (tmp_path / "packages/core/package.json").read_text(encoding="utf-8")
    needs = manifest.replace('"version"', '"dependencies": {"edge": "^1.4.0"}, "version"')
    repository.commit("build: an edge from elsewhere", {"packages/core/package.json": needs})
    repository.commit("feat!: less", {"services/edge/main.py": "print('less')\n"})
    planned = plan(tmp_path)
    changes = {each.name: each.new_version for each in planned.versions.changes}
    assert (changes["edge"], changes["@acme/core"]) == ("2.0.0", "1.0.1")
    written = {each.path: each.content for each in rewrite(tmp_path, planned).edits}
    assert '"edge": "^1.4.0"' in (written["packages/core/package.json"] or "")
    assert "edge" not in (written["packages/core/CHANGELOG.md"] or "")


@pytest.mark.parametrize("version", ["1.4.0\n", None], ids=["with the file", "without it"])
def test_a_sparse_checkout_gives_the_same_plan_and_the_same_edits(tmp_path: Path, version: str | None) -> None:
    repository = add_edge(new_workspace(tmp_path), IMAGE, version)
    changelog = {"services/edge/CHANGELOG.md": "# edge\n\n## 1.4.0\n\n- old\n"} if version else {}
    repository.commit("feat: more", {"services/edge/main.py": "print('more')\n", **changelog})
    whole = plan(tmp_path)
    edits = rewrite(tmp_path, whole).edits
    repository.git("sparse-checkout", "set", "--cone", "services/cart")
    assert not (tmp_path / "services/edge").exists()
    assert plan(tmp_path) == whole
    assert rewrite(tmp_path, whole).edits == edits
    written = {each.path: each.content or "" for each in edits}
    assert ("- old" in written["services/edge/CHANGELOG.md"]) == bool(version)


@pytest.mark.parametrize("kind", ["alone", "connected"])
def test_it_is_released_with_an_archive_of_its_folder_and_a_tag(tmp_path: Path, kind: str) -> None:
    if kind == "alone":
        world = World(tmp_path / "world")
        new_workspace(world.repository.root)
    else:
        world = make_connected(tmp_path / "world")
    add_edge(world.repository, PROCESSES, message="feat: an edge")
    report = world.run()
    assert "edge@0.1.0" in {str(each.component) for each in report.components}
    repository = world.repository
    assert repository.git("show", "HEAD:services/edge/VERSION") == "0.1.0"
    assert "edge@0.1.0" in repository.git("tag", "--points-at", report.commit).split()
    assert repository.git("status", "--porcelain") == ""
    store = world.open()[0].store
    released = store.find("edge", "0.1.0")
    assert released is not None
    with tarfile.open(store.fetch(released.artifact.digest)) as tar:
        assert sorted(tar.getnames()) == ["CHANGELOG.md", "Dockerfile", "VERSION", "main.py"]
    assert not world.run().changed
    repository.commit("fix: a slip", {"services/edge/main.py": "print('edge!')\n"})
    again = world.run()
    assert [str(each.component) for each in again.components] == ["edge@0.1.1"]
    assert repository.git("show", "HEAD:services/edge/VERSION") == "0.1.1"
