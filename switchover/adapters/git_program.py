"""One way to run git: in the folder of the workspace, with answers as text and refusals as our errors."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

# GitPython looks for the program when it is imported, and fails there; `open_checkout` says it in our words.
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")

import git

from switchover.errors import InputError, MissingProgramError, TargetError


def open_checkout(root: Path) -> git.Git:
    """Git for the checkout that holds `root`.

    Raises `InputError` where there is no checkout or no commit in it, `MissingProgramError` without git.
    """
    if not root.is_dir():
        raise InputError(
            f"{root} is no folder",
            expected="a Git checkout",
            found="nothing" if not root.exists() else "a file",
            next_step="name the checkout with --repo",
        )
    program = git.Git(root)
    if answers(program, "rev-parse", "--is-inside-work-tree") != "true":
        raise InputError(
            f"{root} is not in a Git checkout",
            expected="a checkout with its history",
            found="a folder that Git does not know",
            next_step="name the checkout with --repo, or run: git init",
        )
    if not answers(program, "rev-parse", "--verify", "--quiet", "HEAD"):
        raise InputError(
            f"{root} has no history yet",
            expected="at least one commit",
            found="an empty repository",
            next_step="commit what is there first",
        )
    return program


def run(
    program: git.Git, *arguments: str, text: str | None = None, environment: Mapping[str, str] | None = None
) -> str:
    """What git printed, without the last line end. Raises `TargetError` with git's own words when it refuses."""
    status, printed, complained = _execute(program, arguments, text, environment)
    if status != 0:
        raise TargetError(
            f"git {arguments[0]} failed in {program.working_dir}",
            expected="that git does it",
            found=complained.strip().replace("\n", "; ") or f"exit status {status}",
            next_step="repair the repository and run again; what was done already is not done twice",
        )
    return printed


def answers(program: git.Git, *arguments: str) -> str:
    """What git printed, or an empty text when it refuses: for questions that may have no answer."""
    status, printed, _ = _execute(program, arguments, None, None)
    return printed.strip() if status == 0 else ""


def _execute(
    program: git.Git, arguments: tuple[str, ...], text: str | None, environment: Mapping[str, str] | None
) -> tuple[int, str, str]:
    # Quoted paths would hide what a path really is, and a lock for a mere look disturbs a person at work.
    command = ["git", "-c", "core.quotePath=false", "--no-optional-locks", "--literal-pathspecs", *arguments]
    with tempfile.TemporaryFile() as given:
        given.write((text or "").encode("utf-8", "surrogateescape"))
        given.seek(0)
        try:
            status, printed, complained = program.execute(
                command, istream=given, with_extended_output=True, with_exceptions=False, env=environment
            )
        except git.GitCommandNotFound as error:
            raise MissingProgramError(
                "a release needs git",
                expected="the program git",
                found="no git on the PATH",
                next_step="install git",
            ) from error
    return (
        status,
        printed.decode("utf-8", "surrogateescape") if isinstance(printed, bytes) else printed or "",
        complained,
    )
