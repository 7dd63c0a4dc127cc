"""What a failed command shows: four parts for a person, the same as JSON for a program, never a traceback."""

from __future__ import annotations

import errno
import json
import os
import tempfile
import traceback

import click

from switchover.errors import Problem, SwitchoverError

FAILED = 1
_DISK_TROUBLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS})
DEBUG_VARIABLE = "SWITCHOVER_DEBUG"


def show_problem(error: SwitchoverError, *, as_json: bool) -> int:
    """Show an expected failure; return the exit status it asks for."""
    _show(error.problem, as_json=as_json)
    if os.environ.get(DEBUG_VARIABLE):
        click.echo("".join(traceback.format_exception(error)), err=True)
    return error.exit_status


def show_usage_error(error: click.ClickException, *, as_json: bool) -> int:
    """Show what click says about the arguments, in the same four parts; return its exit status."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    path = context.command_path if context else "switchover"
    usage = context.get_usage().removeprefix("Usage: ") if context else f"{path} [OPTIONS]"
    message = error.format_message().rstrip(".")
    _show(
        Problem(f"{path}: the arguments are wrong", " ".join(usage.split()), message, f"{path} --help"), as_json=as_json
    )
    return error.exit_code


def show_unexpected(error: Exception, *, as_json: bool) -> int:
    """Show a full or forbidden disk as what it is, and everything else as a defect of our own."""
    if not isinstance(error, OSError) or error.errno not in _DISK_TROUBLE:
        return _show_defect(error, as_json=as_json)
    place = error.filename or "a file"
    problem = Problem(
        f"cannot use {place}",
        "a place that this user can write to, with room left",
        error.strerror or str(error),
        "free some disk space or correct the rights, then run this again; `switchover status` shows where it stands",
    )
    _show(problem, as_json=as_json)
    return FAILED


def _show_defect(error: Exception, *, as_json: bool) -> int:
    """One line, with the traceback kept in a file."""
    text = "".join(traceback.format_exception(error))
    if os.environ.get(DEBUG_VARIABLE):
        click.echo(text, err=True)
    where = _keep(text)
    found = f"{type(error).__name__}: {error}".splitlines()[0][:300]
    again = f"run it again with {DEBUG_VARIABLE}=1 to see the traceback"
    click.echo(f"a defect of switchover: {found} (traceback: {where}; {again})", err=True)
    if as_json:
        _show_json(Problem("a defect of switchover", "no defect", found, f"{again}; it is also in {where}"))
    return FAILED


def _show(problem: Problem, *, as_json: bool) -> None:
    click.echo(str(problem), err=True)
    if as_json:
        _show_json(problem)


def _show_json(problem: Problem) -> None:
    parts = {
        "failed": problem.failed,
        "expected": problem.expected,
        "found": problem.found,
        "next_step": problem.next_step,
    }
    click.echo(json.dumps({"error": parts}, indent=2, ensure_ascii=False))


def _keep(text: str) -> str:
    """Where the traceback was written; only its owner may read it."""
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="switchover-defect-", suffix=".txt", delete=False, encoding="utf-8"
        ) as file:
            file.write(text)
            return file.name
    except OSError as error:
        return f"not written, {error.strerror}"
