from __future__ import annotations

import json
from pathlib import Path

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


def test_what_cannot_be_planned_is_the_callers_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plan", "--repo", str(tmp_path)]) == 2
    assert "not in a Git checkout" in capsys.readouterr().err
