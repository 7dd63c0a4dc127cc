"""Where ours is meant to differ from the real program, both are run and the difference is stated."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.golden.oracle import Case, build, play, read_tree, run_ours, run_real
from tests.golden.parts import CORE_MAJOR, CORE_MINOR, MANIFEST, pair, solo

PYTHON = '[project]\nname = "tool"\nversion = "1.0.0"\ndependencies = ["core>=1.2.3,<2"]\n'


def run_both(case: Case, folder: Path) -> tuple[dict[str, bytes], dict[str, bytes]]:
    build(case, folder / "real")
    shutil.copytree(folder / "real", folder / "ours", symlinks=True)
    assert play(case, folder / "real", ours=False) == play(case, folder / "ours", ours=True) == [0] * len(case.steps)
    return read_tree(folder / "real"), read_tree(folder / "ours")


def test_nothing_to_version_is_no_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = Case("nothing", pair("^1.2.3"), {})
    build(case, tmp_path)
    before = read_tree(tmp_path)
    assert run_real(tmp_path, 3, "version") == 1
    assert run_real(tmp_path, 2, "version") == 0
    capsys.readouterr()
    assert run_ours(tmp_path, "version") == 0
    assert capsys.readouterr().out.startswith("Nothing to version")
    assert read_tree(tmp_path) == before


def test_another_changelog_module_is_not_run_and_that_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    default = Case("default", pair("^1.2.3"), CORE_MAJOR)
    real, _ = run_both(default, tmp_path)
    foreign = ["@changesets/changelog-github", {"repo": "acme/acme"}]
    build(Case("foreign", pair("^1.2.3"), CORE_MAJOR, {"changelog": foreign}), tmp_path / "foreign")
    assert run_real(tmp_path / "foreign", 3, "version") == 1
    capsys.readouterr()
    assert run_ours(tmp_path / "foreign", "version") == 0
    assert "the changelog module '@changesets/changelog-github' is not run" in capsys.readouterr().out
    ours = read_tree(tmp_path / "foreign")
    for path in ("packages/core/package.json", "packages/ui/package.json"):
        assert ours[path] == real[path]
    headings = [line for line in ours["packages/core/CHANGELOG.md"].decode().splitlines() if line.startswith("#")]
    assert headings == ["# core", "## 2.0.0", "### Major Changes"]


def test_changesets_2_writes_manifests_anew_and_ours_keeps_their_layout(tmp_path: Path) -> None:
    odd = json.dumps(json.loads(MANIFEST), separators=(" , ", " :  "))
    real, ours = run_both(Case("odd", solo(odd), CORE_MINOR, major=2), tmp_path)
    path = "packages/core/package.json"
    assert json.loads(ours[path]) == json.loads(real[path])
    assert ours[path] != real[path]
    assert ours[path].decode() == odd.replace("1.2.3", "1.3.0")


def test_changesets_2_formats_the_whole_changelog_and_ours_leaves_what_is_there(tmp_path: Path) -> None:
    existing = "## 1.2.3\n* old\n"
    files = solo(**{"packages/core/CHANGELOG.md": existing})
    real, ours = run_both(Case("stars", files, CORE_MINOR, major=2), tmp_path)
    path = "packages/core/CHANGELOG.md"
    assert real[path].decode().endswith("## 1.2.3\n\n- old\n")
    assert ours[path].decode().endswith(f"\n\n{existing}")
    assert ours[path].decode().removesuffix(existing) == real[path].decode().removesuffix("## 1.2.3\n\n- old\n")


def test_a_python_package_beside_them_follows(tmp_path: Path) -> None:
    files = {
        **pair("^1.2.3"),
        "pyproject.toml": '[tool.uv.workspace]\nmembers = ["tools/*"]\n',
        "tools/tool/pyproject.toml": PYTHON,
    }
    case = Case("python", files, CORE_MAJOR)
    real, ours = run_both(case, tmp_path)
    assert real["tools/tool/pyproject.toml"].decode() == PYTHON
    wanted = PYTHON.replace('"1.0.0"', '"1.0.1"').replace("core>=1.2.3,<2", "core>=2.0.0,<3")
    assert ours.pop("tools/tool/pyproject.toml").decode() == wanted
    assert (
        ours.pop("tools/tool/CHANGELOG.md").decode().startswith("# tool\n\n## 1.0.1\n\n### Patch Changes\n\n- Updated")
    )
    del real["tools/tool/pyproject.toml"]
    assert ours == real
