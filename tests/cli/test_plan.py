from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from switchover.cli.main import run
from tests.git_repository import new_repository, new_workspace


def test_the_json_has_the_shape_of_changesets_and_ours_beside_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new_workspace(tmp_path)
    assert run(["plan", "--repo", str(tmp_path), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert list(document) == ["changesets", "releases", "switchover"]
    assert document["changesets"] == [
        {"releases": [{"name": "cart", "type": "minor"}], "summary": "The cart does more.", "id": "more"}
    ]
    assert document["releases"][0] == {
        "name": "cart",
        "type": "minor",
        "oldVersion": "1.0.0",
        "changesets": ["more"],
        "newVersion": "1.1.0",
    }
    assert document["switchover"]["commits"]["@acme/core"][0]["description"] == "count right"


def test_a_repository_without_a_configuration_is_planned(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    repository = new_repository(tmp_path)
    repository.commit("chore: start", {"package.json": {"name": "solo", "version": "1.0.0"}})
    repository.git("tag", "v1.0.0")
    assert run(["plan", "--repo", str(tmp_path)]) == 0
    assert "Nothing to release" in capsys.readouterr().out
    repository.commit("feat: more", {"index.js": "1"})
    assert run(["plan", "--repo", str(tmp_path)]) == 0
    assert "solo  1.0.0 -> 1.1.0  (minor)" in capsys.readouterr().out


def test_a_snapshot_is_planned_and_nothing_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    repository = new_workspace(tmp_path)
    assert run(["plan", "--repo", str(tmp_path), "--snapshot", "canary"]) == 0
    assert "cart  1.0.0 -> 0.0.0-canary-" in capsys.readouterr().out
    assert run(["plan", "--repo", str(tmp_path), "--snapshot"]) == 0
    assert "cart  1.0.0 -> 0.0.0-20" in capsys.readouterr().out
    assert repository.git("status", "--porcelain") == ""


def test_a_changelog_module_that_is_not_run_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    repository = new_workspace(tmp_path)
    repository.write(".changeset/config.json", {"changelog": "./ours.js"})
    assert run(["plan", "--repo", str(tmp_path)]) == 0
    assert "note: .changeset/config.json: the changelog module './ours.js' is not run" in capsys.readouterr().out


def test_many_packages_without_a_tag_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    repository = new_repository(tmp_path)
    names = [f"p{at}" for at in range(7)]
    files: dict[str, str | dict[str, Any]] = {
        f"{name}/package.json": {"name": name, "version": "1.0.0"} for name in names
    }
    repository.commit("feat: start", {"package.json": {"workspaces": ["*"]}, **files})
    assert run(["plan", "--repo", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "7 packages are not released yet, they have no tag: "
        + ", ".join(f"{name} 1.0.0" for name in names[:5])
        + " and others (--json has them all)",
        "note: this history has no tags; where releases have some, fetch them: git fetch --tags",
    ]


def test_of_many_reasons_the_weightiest_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    repository = new_repository(tmp_path)
    repository.commit("chore: start", {"package.json": {"name": "solo", "version": "1.0.0"}})
    repository.git("tag", "v1.0.0")
    repository.commit("feat: a wonder", {"x.js": "0"})
    for at in range(11):
        repository.commit(f"fix: slip {at}", {"x.js": f"{at + 1}"})
    assert run(["plan", "--repo", str(tmp_path)]) == 0
    reasons = capsys.readouterr().out.splitlines()[1].split("; ")
    assert len(reasons) == 9
    assert reasons[0].endswith("feat: a wonder")
    assert reasons[-1] == "and 4 more"


def test_what_cannot_be_planned_is_the_callers_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plan", "--repo", str(tmp_path)]) == 2
    assert "not in a Git checkout" in capsys.readouterr().err
