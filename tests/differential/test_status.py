"""`switchover plan --json` beside `changeset status --output` of both majors, in real checkouts."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from switchover.adapters.git_history import GitHistory
from switchover.adapters.workspace import FolderWorkspace
from switchover.decide.plan_json import plan_to_json
from switchover.operations.planning import ReleaseSettings, plan_release
from tests.git_repository import new_repository
from tests.real_parts.node import BIN, environment, installed

Files = dict[str, str | dict[str, Any]]


def write_changeset(**releases: str) -> str:
    lines = "".join(f'"@acme/{name}": {bump}\n' for name, bump in releases.items())
    return f"---\n{lines}---\n\nWhat changed.\n\nWith a second paragraph.\n"


def write_package(name: str, version: str, **more: Any) -> dict[str, Any]:
    return {"name": f"@acme/{name}", "version": version, **more}


WORKSPACE: Files = {
    "package.json": {"name": "root", "private": True, "version": "0.0.0", "workspaces": ["packages/*"]},
    "package-lock.json": {"name": "root", "lockfileVersion": 3, "packages": {}},
    "packages/core/package.json": write_package("core", "1.2.0"),
    "packages/core-ui/package.json": write_package("core-ui", "0.4.1", dependencies={"@acme/core": "^1.2.0"}),
    "packages/plugin/package.json": write_package(
        "plugin", "2.0.0", peerDependencies={"@acme/core": "^1.0.0"}, devDependencies={"@acme/core-ui": "0.4.1"}
    ),
    "packages/site/package.json": write_package("site", "1.0.0", private=True, dependencies={"@acme/core-ui": "*"}),
    ".changeset/config.json": {"baseBranch": "main"},
    ".changeset/README.md": "# Changesets\n",
    ".changeset/brave-dogs-sing.md": write_changeset(core="minor", plugin="none"),
    ".changeset/a-b.md": write_changeset(core="patch"),
    ".changeset/quiet-cats-run.md": "---\n---\n",
}
PNPM: Files = {
    **{path: content for path, content in WORKSPACE.items() if path != "package-lock.json"},
    "package.json": {"name": "root", "private": True, "version": "0.0.0"},
    "pnpm-workspace.yaml": "packages:\n  - packages/**\n  - '!packages/site'\n",
    "pnpm-lock.yaml": "lockfileVersion: '9.0'\n",
}
YARN: Files = {
    **{path: content for path, content in WORKSPACE.items() if path != "package-lock.json"},
    "package.json": {"name": "root", "private": True, "workspaces": {"packages": ["packages/{core,core-ui,plugin}"]}},
    "yarn.lock": "",
}
IN_PRE_MODE: Files = {
    ".changeset/pre.json": {
        "mode": "pre",
        "tag": "beta",
        "initialVersions": {"@acme/core": "1.1.0", "@acme/core-ui": "0.4.0"},
        "changesets": ["a-b"],
    },
    "packages/core/package.json": write_package("core", "1.2.0-beta.0"),
}
LEAVING: Files = {**IN_PRE_MODE, ".changeset/pre.json": {**dict(IN_PRE_MODE[".changeset/pre.json"]), "mode": "exit"}}
GROUPED: Files = {
    ".changeset/config.json": {
        "baseBranch": "main",
        "fixed": [["@acme/core*"]],
        "ignore": ["@acme/site"],
        "privatePackages": {"version": True, "tag": True},
    }
}
SINGLE: Files = {
    "package.json": {"name": "@acme/core", "version": "1.0.0"},
    "package-lock.json": {"name": "@acme/core", "lockfileVersion": 3, "packages": {}},
    ".changeset/config.json": {"baseBranch": "main"},
    ".changeset/x.md": write_changeset(core="major"),
}
# Copied fixtures keep the name of the original; what is copied last counts.
TWINS: Files = {
    **WORKSPACE,
    "packages/trial-a/package.json": write_package(
        "trial", "0.1.0", private=True, dependencies={"@acme/core": "1.2.0"}
    ),
    "packages/trial-b/package.json": write_package(
        "trial", "0.2.0", private=True, devDependencies={"@acme/core": "1.2.0"}
    ),
}
# The list in package.json is shorter, as it is where it serves some other tool.
TWO_LISTS: Files = {
    **PNPM,
    "package.json": {"name": "root", "private": True, "version": "0.0.0", "workspaces": ["packages/core*"]},
    ".changeset/brave-dogs-sing.md": write_changeset(core="minor"),
}
LERNA: Files = {
    **{path: content for path, content in WORKSPACE.items() if path != "package-lock.json"},
    "package.json": {"name": "root", "private": True, "version": "0.0.0"},
    "lerna.json": {"version": "independent"},
}
ALL_BUT: Files = {
    **WORKSPACE,
    "packages/other/package.json": {"name": "other", "version": "1.0.0", "dependencies": {"@acme/core": "1.2.0"}},
    ".changeset/config.json": {"baseBranch": "main", "ignore": ["!(@acme/*)"]},
}


def declare(files: Files, major: int) -> Files:
    """The checkout as one that asks for this major of changesets, since that also says where packages are listed."""
    manifest = dict(files["package.json"])
    return {**files, "package.json": {**manifest, "devDependencies": {"@changesets/cli": f"^{major}.0.0"}}}


CHECKOUTS: dict[str, Files] = {
    "npm": WORKSPACE,
    "pnpm": PNPM,
    "yarn": YARN,
    "groups": {**WORKSPACE, **GROUPED},
    "pre mode of changesets 2": {**WORKSPACE, **IN_PRE_MODE},
    "leaving it": {**WORKSPACE, **LEAVING},
    "one package": SINGLE,
    "two private packages of one name": TWINS,
    "a list of packages for pnpm and another one": TWO_LISTS,
    "a list of packages for pnpm and another one, with yarn": {**TWO_LISTS, "yarn.lock": ""},
    "lerna": LERNA,
    "all but a scope ignored": ALL_BUT,
}


@pytest.mark.parametrize("major", [2, 3])
@pytest.mark.parametrize("name", CHECKOUTS)
def test_the_plan_of_a_checkout_is_the_status_that_changesets_writes(tmp_path: Path, name: str, major: int) -> None:
    root = tmp_path / "checkout"
    repository = new_repository(root)
    repository.commit("chore: start", declare(CHECKOUTS[name], major))
    settings = ReleaseSettings(compat=major, commits=False)
    ours = plan_to_json(plan_release(FolderWorkspace(root), GitHistory(root), settings).versions)
    del ours["switchover"]
    assert repository.git("status", "--porcelain") == ""
    # Changesets 3 rewrites the files of the mode when it looks at them, so it comes last.
    program = installed("changesets") / "node_modules" / f"changesets-{major}" / "bin.js"
    done = subprocess.run(
        [str(BIN / "node"), str(program), "status", f"--output={tmp_path / 'status.json'}"],
        cwd=root,
        env=dict(environment()),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    output = tmp_path / "status.json"
    assert output.exists(), done.stdout + done.stderr
    assert ours == json.loads(output.read_text(encoding="utf-8"))
