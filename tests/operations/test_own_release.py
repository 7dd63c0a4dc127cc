"""The plan of the project's own checkout: its next version follows from its commits."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path

import pytest

from switchover.adapters.git_history import GitHistory
from switchover.adapters.manifest_values import read_python_package
from switchover.adapters.release_tools import read_plan_settings
from switchover.adapters.workspace import FolderWorkspace
from switchover.decide.bumps import Bump
from switchover.operations.planning import ReleasePlan, plan_release
from switchover.operations.versioning import plan_rewriting
from tests.git_repository import Repository

ROOT = Path(__file__).parents[2]
NAME = "switchover"


def ask_git(*arguments: str) -> str:
    command = ["git", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


@pytest.fixture
def own(tmp_path: Path) -> Repository:
    """A clone of this checkout: what is committed, and nothing of what lies beside it."""
    if not (top := ask_git("rev-parse", "--show-toplevel")) or Path(top) != ROOT.resolve():
        pytest.skip("the tests do not run in the project's own Git checkout")
    if ask_git("rev-parse", "--is-shallow-repository") != "false":
        pytest.skip("the checkout has only a part of its history")
    command = ["git", "clone", "--quiet", str(ROOT), str(tmp_path / "clone")]
    subprocess.run(command, check=True)
    return Repository(tmp_path / "clone")


def plan(repository: Repository) -> ReleasePlan:
    settings = read_plan_settings(repository.root)
    return plan_release(FolderWorkspace(repository.root), GitHistory(repository.root), settings)


def test_the_own_checkout_is_one_package_and_can_be_planned(own: Repository) -> None:
    planned = plan(own)
    assert [(each.name, each.manifest) for each in planned.packages] == [(NAME, "pyproject.toml")]
    assert planned.notices == ()
    rewriting = plan_rewriting(FolderWorkspace(own.root), planned.packages, planned.versions)
    assert bool(rewriting.edits) == bool(planned.versions.changes)


def test_the_first_version_of_the_own_checkout_follows_from_all_its_commits(own: Repository) -> None:
    manifest = (own.root / "pyproject.toml").read_text(encoding="utf-8")
    package = read_python_package(tomllib.loads(manifest), "")
    assert package is not None
    for tag in own.git("tag").split():
        own.git("tag", "--delete", tag)
    first = manifest.replace(f'\nversion = "{package.version}"\n', '\nversion = "0.0.0"\n')
    own.commit("chore: as before the first release", {"pyproject.toml": first})
    subjects = own.git("log", "--format=%s").splitlines()
    bump, version = (Bump.MINOR, "0.1.0") if any(each.startswith("feat") for each in subjects) else (Bump.NONE, "")
    if "BREAKING CHANGE" in own.git("log", "--format=%B") or any("!" in each.split(":")[0] for each in subjects):
        bump, version = Bump.MAJOR, "1.0.0"
    planned = [(each.name, each.old_version, each.new_version, each.type) for each in plan(own).versions.changes]
    assert planned == [(NAME, "0.0.0", version, bump)]
