"""A release that is killed before any of its git commands can be run again, and ends like one that was not."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from switchover.adapters.git_history import GitHistory
from switchover.adapters.git_remote import GitRemote
from switchover.decide.edits import Edit
from tests.git_repository import Repository, clone, new_bare, new_repository

TAG = "@acme/a@1.1.0"
EDITS = (
    Edit(".changeset/x.md", None),
    Edit("a/CHANGELOG.md", "# a\n"),
    Edit("a/package.json", '{"version": "1.1.0"}\n'),
)
# Kills whoever calls git the DEADLY-th time, and does nothing of what it was asked then.
DEADLY_GIT = """#!/bin/sh
calls=$(($(cat "$CALLS") + 1))
echo $calls > "$CALLS"
if [ $calls -eq $DEADLY ]; then kill -9 $PPID; exit 1; fi
exec "$GIT" "$@"
"""


def commit(root: Path) -> None:
    history = GitHistory(root)
    history.require_clean()
    if (root / ".changeset/x.md").exists():
        history.commit_edits(EDITS, "chore(release): a@1.1.0\n")


def hold_the_lock(root: Path) -> None:
    with GitRemote(root, "origin").alone("Ada"):
        pass


def write_under_the_lock(root: Path) -> None:
    remote = GitRemote(root, "origin")
    with remote.alone("Ada"):
        remote.push_branch()


def catch_up(root: Path) -> None:
    GitHistory(root).require_clean()
    GitRemote(root, "origin").catch_up()


def push_branch(root: Path) -> None:
    remote = GitRemote(root, "origin")
    remote.catch_up()
    remote.push_branch()


def tag(root: Path) -> None:
    history = GitHistory(root)
    history.tag(TAG, history.reserve(TAG, stored=True), f"{TAG}\n")
    GitRemote(root, "origin").push_tag(TAG)


def mark(root: Path) -> None:
    history, remote = GitHistory(root), GitRemote(root, "origin")
    history.mark(TAG, history.reserve(TAG, stored=True))
    remote.push_marks((TAG,))


def drop_marks(root: Path) -> None:
    GitRemote(root, "origin").drop_marks((TAG,))
    GitHistory(root).drop_mark(TAG)


def propose(root: Path) -> None:
    history = GitHistory(root)
    GitRemote(root, "origin").push_commit(history.write_commit(EDITS, "chore(release): a@1.1.0\n"), "switchover/main")


def withdraw(root: Path) -> None:
    GitHistory(root).tag(TAG, GitHistory(root).reserve(TAG, stored=True), f"{TAG}\n")
    GitHistory(root).withdraw(TAG, "It is wrong.")


@dataclass(frozen=True, slots=True)
class Place:
    """A checkout and the repository that it shares, side by side in a folder that can be copied."""

    folder: Path

    @property
    def root(self) -> Path:
        return self.folder / "checkout"

    def describe(self) -> dict[str, str]:
        """Everything that a release may leave behind."""
        return {
            name: "\n".join(
                [
                    repository.git("for-each-ref", "--format=%(refname) %(objectname)"),
                    *([repository.git("status", "--porcelain", "--branch")] if name == "checkout" else []),
                ]
            )
            for name, repository in (
                ("checkout", Repository(self.root)),
                ("shared", Repository(self.folder / "shared")),
            )
        }


@pytest.fixture
def prepared(tmp_path: Path) -> Place:
    """Somebody pushed a commit, a tag and a mark after our clone."""
    place = Place(tmp_path / "prepared")
    shared = new_bare(place.folder / "shared")
    first = new_repository(tmp_path / "first")
    first.commit("chore: start", {"a/package.json": '{"version": "1.0.0"}\n', ".changeset/x.md": "---\n---\n"})
    first.git("remote", "add", "origin", str(shared.root))
    first.git("push", "--quiet", "origin", "main")
    checkout = clone(shared, place.root)
    checkout.git("remote", "set-url", "origin", "../shared")
    return place


def somebody_pushes(place: Place, folder: Path) -> None:
    other = clone(Repository(place.folder / "shared"), folder)
    other.commit("feat: more", {"b.txt": "b", "a/package.json": '{"version": "1.0.1"}\n'})
    other.git("tag", "v1.0.1")
    other.git("push", "--quiet", "origin", "main", "v1.0.1", f"main:refs/switchover/under-way/{TAG}")


def _child(work: Callable[[Path], None], root: Path, environment: dict[str, str]) -> None:
    os.environ.update(environment)
    work(root)


@pytest.mark.parametrize(
    ("work", "least"),
    [
        (commit, 20),
        pytest.param(hold_the_lock, 10, marks=pytest.mark.slow),
        (write_under_the_lock, 15),
        (catch_up, 15),
        (push_branch, 10),
        (tag, 10),
        pytest.param(mark, 8, marks=pytest.mark.slow),
        pytest.param(drop_marks, 7, marks=pytest.mark.slow),
        pytest.param(propose, 15, marks=pytest.mark.slow),
        pytest.param(withdraw, 8, marks=pytest.mark.slow),
    ],
    ids=lambda value: getattr(value, "__name__", "") or f"at least {value}",
)
def test_whoever_is_killed_before_any_git_command_runs_again_and_ends_the_same(
    prepared: Place, tmp_path: Path, work: Callable[[Path], None], least: int
) -> None:
    if work is catch_up:
        somebody_pushes(prepared, tmp_path / "other")
    elif work is not commit:
        Repository(prepared.root).commit("feat: ours", {"c.txt": "c"})
    if work is drop_marks:
        mark(prepared.root)
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "git").write_text(DEADLY_GIT, encoding="utf-8")
    (programs / "git").chmod(0o755)
    calls = tmp_path / "calls"
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload([__name__])
    undisturbed: dict[str, str] | None = None
    deadly = 0
    killed = True
    while killed:
        place = Place(tmp_path / f"run{deadly}")
        shutil.copytree(prepared.folder, place.folder, symlinks=True)
        calls.write_text("0\n", encoding="ascii")
        environment = {
            "CALLS": str(calls),
            "DEADLY": str(deadly),
            "GIT": shutil.which("git") or "git",
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        }
        process = processes.Process(target=_child, args=(work, place.root, environment))
        process.start()
        process.join()
        killed = process.exitcode == -signal.SIGKILL
        if not killed:
            assert process.exitcode == 0
        work(place.root)
        undisturbed = undisturbed or place.describe()
        assert place.describe() == undisturbed, f"killed before command {deadly}"
        killed = killed or deadly == 0
        shutil.rmtree(place.folder)
        deadly += 1
    assert deadly > least
