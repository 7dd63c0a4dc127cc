from __future__ import annotations

import json
from pathlib import Path

import pytest

from switchover.adapters.workspace_writer import WorkspaceWriter
from switchover.cli.main import run
from switchover.decide.edits import Edit
from tests.git_repository import Repository, new_repository, new_workspace

CONFIG = '{\n  "changelog": "@changesets/cli/changelog"\n}\n'
MINOR = '---\n"tool": minor\n---\n\nMore.\n'
PYPROJECT = """\
[project]
name = "tool"   # ours
version = "1.0.0"
dependencies = ["lib>=1.0.0"]

[project.optional-dependencies]
fast = ["Lib[fast] ~=1.0.0 ; python_version < '3.13'"]

[dependency-groups]
dev = ["lib==1.0.0", {include-group = "x"}]
x = []

[tool.other]
dependencies = ["lib>=1.0.0"]
version = "1.0.0"

[tool.uv.workspace]
members = ["lib"]
"""


def status(repository: Repository) -> list[str]:
    return repository.git("status", "--porcelain", "--untracked-files=all").splitlines()


def python_workspace(root: Path) -> Repository:
    repository = new_repository(root)
    files = {
        "pyproject.toml": PYPROJECT.replace('members = ["lib"]', 'members = [".", "lib"]'),
        "lib/pyproject.toml": '[project]\nname = "lib"\nversion = "1.0.0"\n',
        ".changeset/config.json": CONFIG,
        ".changeset/more.md": '---\n"lib": major\n---\n\nAll new.\n',
    }
    repository.commit("chore: start", files)
    return repository


def test_versions_and_changelogs_are_written_and_nothing_is_committed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    repository = new_workspace(tmp_path)
    head = repository.git("rev-parse", "HEAD")
    assert run(["version", "--repo", str(tmp_path)]) == 0
    assert "written  packages/core/package.json" in capsys.readouterr().out
    assert repository.git("rev-parse", "HEAD") == head
    assert "D .changeset/more.md" in status(repository)
    assert json.loads((tmp_path / "packages/core/package.json").read_text())["version"] == "1.0.1"
    assert "count right" in (tmp_path / "packages/core/CHANGELOG.md").read_text()
    assert json.loads((tmp_path / "packages/ui/package.json").read_text())["dependencies"] == {"@acme/core": "1.0.1"}


def test_a_dry_run_says_what_would_be_written_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    repository = new_workspace(tmp_path)
    assert run(["version", "--repo", str(tmp_path), "--dry-run", "--json"]) == 0
    files = json.loads(capsys.readouterr().out)["switchover"]["files"]
    assert {"path": ".changeset/more.md", "removed": True} in files
    assert {"path": "services/cart/package.json", "removed": False} in files
    assert status(repository) == []


def test_nothing_to_version_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    repository = new_repository(tmp_path)
    repository.commit("chore: start", {"package.json": {"name": "solo", "version": "1.0.0"}})
    assert run(["version", "--repo", str(tmp_path)]) == 0
    assert capsys.readouterr().out.startswith("Nothing to version")
    assert status(repository) == []


def test_python_packages_follow_in_every_table_where_they_count(tmp_path: Path) -> None:
    python_workspace(tmp_path)
    assert run(["version", "--repo", str(tmp_path)]) == 0
    wanted = (
        PYPROJECT.replace('members = ["lib"]', 'members = [".", "lib"]')
        .replace('version = "1.0.0"\ndependencies = ["lib>=1.0.0"]', 'version = "1.0.1"\ndependencies = ["lib>=2.0.0"]')
        .replace("Lib[fast] ~=1.0.0", "Lib[fast] ~=2.0.0")
        .replace('dev = ["lib==1.0.0"', 'dev = ["lib==2.0.0"')
    )
    assert (tmp_path / "pyproject.toml").read_text() == wanted
    assert (tmp_path / "lib/pyproject.toml").read_text() == '[project]\nname = "lib"\nversion = "2.0.0"\n'
    assert (tmp_path / "lib/CHANGELOG.md").read_text().startswith("# lib\n\n## 2.0.0\n\n### Major Changes\n\n- ")


def test_a_snapshot_that_python_does_not_read_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    repository = python_workspace(tmp_path)
    assert run(["version", "--repo", str(tmp_path), "--snapshot", "canary"]) == 2
    assert "one that Python reads" in capsys.readouterr().err
    assert status(repository) == []


def test_an_interrupted_run_is_finished_by_the_next_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    repository = new_workspace(tmp_path)
    assert run(["version", "--repo", str(tmp_path), "--json", "--dry-run"]) == 0
    paths = {each["path"] for each in json.loads(capsys.readouterr().out)["switchover"]["files"]}
    assert run(["version", "--repo", str(tmp_path)]) == 0
    wanted = {path: (tmp_path / path).read_text() for path in paths if (tmp_path / path).exists()}
    removed = paths - set(wanted)
    # As a run leaves it that was killed after its first file.
    repository.git("stash", "--include-untracked", "--quiet")
    writer = WorkspaceWriter.of_checkout(tmp_path)
    edits = tuple(Edit(path, wanted.get(path)) for path in sorted(paths))
    note = [{"path": each.path, "before": writer._digest(each.path), "content": each.content} for each in edits]
    first = edits[1]
    (tmp_path / first.path).write_text(first.content or "")
    writer.note.write_text(json.dumps(note))
    capsys.readouterr()
    assert run(["version", "--repo", str(tmp_path)]) == 0
    assert capsys.readouterr().out.startswith("Finished the interrupted run")
    assert {path: (tmp_path / path).read_text() for path in wanted} == wanted
    assert not any((tmp_path / path).exists() for path in removed)


def test_the_same_plan_applied_again_changes_nothing(tmp_path: Path) -> None:
    new_workspace(tmp_path)
    assert run(["version", "--repo", str(tmp_path)]) == 0
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*") if ".git" not in path.parts and path.is_file()}
    assert run(["version", "--repo", str(tmp_path)]) == 0
    after = {path: path.read_bytes() for path in tmp_path.rglob("*.*") if ".git" not in path.parts and path.is_file()}
    assert after == before


def test_the_mode_is_entered_and_left_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new_workspace(tmp_path)
    assert run(["pre", "exit", "--repo", str(tmp_path)]) == 2
    assert "cannot be left" in capsys.readouterr().err
    assert run(["pre", "enter", "beta", "--repo", str(tmp_path)]) == 0
    assert json.loads((tmp_path / ".changeset/pre.json").read_text()) == {"mode": "pre", "tag": "beta"}
    assert run(["pre", "enter", "rc", "--repo", str(tmp_path)]) == 2
    assert "switchover pre exit" in capsys.readouterr().err
    assert run(["version", "--snapshot", "--repo", str(tmp_path)]) == 2
    capsys.readouterr()
    assert run(["pre", "exit", "--repo", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"mode": "exit", "tag": "beta"}


@pytest.mark.parametrize("tag", ["", "a b", "1", "rc.1", "-x", "ü"])
def test_a_tag_that_makes_no_version_is_refused(tmp_path: Path, tag: str, capsys: pytest.CaptureFixture[str]) -> None:
    new_workspace(tmp_path)
    assert run(["pre", "enter", "--repo", str(tmp_path), "--", tag]) == 2
    assert "letters, digits and hyphens" in capsys.readouterr().err
    assert not (tmp_path / ".changeset/pre.json").exists()
