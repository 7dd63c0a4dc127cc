"""The real `changeset` program and ours, each on its own copy of the same small repository."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from switchover.cli.main import run
from tests.git_repository import IDENTITY, Repository, new_repository
from tests.real_parts.node import BIN, environment, installed

_SECONDS = 120
LOCK = '{\n  "lockfileVersion": 3\n}\n'
CONFIG: dict[str, Any] = {
    "changelog": "@changesets/cli/changelog",
    "commit": False,
    "fixed": [],
    "linked": [],
    "access": "restricted",
    "baseBranch": "main",
    "updateInternalDependencies": "patch",
    "ignore": [],
}


@dataclass(frozen=True, slots=True)
class Case:
    """A workspace with changesets, and what is run on it.

    `files` are texts, or objects that become JSON. `changesets` map ids to texts; they are committed after the files
    unless `committed` is False. Each of `steps` is a command line; a step `commit` commits what the last one left.
    A step that begins with `write` adds a file: `("write", path, text)`.
    """

    name: str
    files: Mapping[str, str | dict[str, Any]]
    changesets: Mapping[str, str]
    config: Mapping[str, Any] = field(default_factory=dict)
    steps: tuple[tuple[str, ...], ...] = (("version",),)
    committed: bool = True
    major: int = 3


def build(case: Case, root: Path) -> Repository:
    """Make the repository of a case, with the changesets in a second commit."""
    repository = new_repository(root)
    files = {
        "package-lock.json": LOCK,
        ".changeset/config.json": {**CONFIG, **case.config},
        ".gitattributes": "* -text\n",
        **case.files,
        "package.json": _declare(case.files["package.json"], case.major),
    }
    for path, content in files.items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        text = content if isinstance(content, str) else json.dumps(content, indent=2) + "\n"
        place.write_bytes(text.encode())
    repository.commit("chore: start")
    for identifier, text in case.changesets.items():
        (root / f".changeset/{identifier}.md").write_bytes(text.encode())
    if case.committed:
        repository.commit("docs: say what changed")
    return repository


def _declare(manifest: str | dict[str, Any], major: int) -> str | dict[str, Any]:
    """The root manifest, which says to ours which major the repository uses: 3 if it says nothing."""
    if major == 3 or isinstance(manifest, str):
        return manifest
    return {**manifest, "devDependencies": {**manifest.get("devDependencies", {}), "@changesets/cli": f"^{major}.0.0"}}


def play(case: Case, root: Path, *, ours: bool) -> list[int]:
    """Run the steps of a case in a repository; return the exit status of each program that was run."""
    statuses: list[int] = []
    for step in case.steps:
        if step[0] == "commit":
            Repository(root).commit("chore: versions")
        elif step[0] == "write":
            place = root / step[1]
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(step[2].encode())
        elif ours:
            statuses.append(run_ours(root, *step))
        else:
            statuses.append(run_real(root, case.major, *step))
    return statuses


def run_real(root: Path, major: int, *arguments: str) -> int:
    """Run the real program; return its exit status."""
    program = installed("changesets") / "node_modules" / f"changesets-{major}" / "bin.js"
    done = subprocess.run(
        [str(BIN / "node"), str(program), *arguments],
        cwd=root,
        env={**environment(), **IDENTITY, "CI": "1", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=_SECONDS,
        check=False,
    )
    if done.returncode:
        print(done.stdout, done.stderr)  # noqa: T201 - pytest shows it beside a failure
    return done.returncode


def run_ours(root: Path, command: str, *arguments: str) -> int:
    """Run our program in this process; return its exit status."""
    return run([command, *arguments, "--repo", str(root)])


def read_tree(root: Path) -> dict[str, bytes]:
    """Every file of the work tree with its bytes."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and ".git" not in path.relative_to(root).parts
    }
