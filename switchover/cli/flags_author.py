"""Who changes a flag and why, as the audit trail keeps it."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import sys

import click

from switchover.cli.output import is_terminal
from switchover.errors import InputError

_GIT_SECONDS = 2.0
_LONGEST = 500


def name_author(who: str | None) -> str:
    """Who was named, else Git's `user.email`, else the system's user at this host."""
    return _within_limit("--who", (who or "").strip()) or _ask_git() or f"{_name_user()}@{socket.gethostname()}"


def give_reason(why: str | None, *, needed: bool, action: str) -> str:
    """The reason that was given. Where one is needed and none is: asked for at a terminal, refused elsewhere."""
    reason = _within_limit("--why", (why or "").strip())
    if reason or not needed:
        return reason
    if sys.stdin.isatty() and is_terminal():
        return _within_limit("the reason", str(click.prompt(f"Why {action}?", err=True)).strip())
    raise InputError(
        f"{action}: why?",
        expected="--why with the reason, for the audit trail",
        found="none given, and nobody at a terminal to ask",
        next_step='add --why "…"',
    )


def _within_limit(what: str, text: str) -> str:
    if len(text) > _LONGEST or not text.isprintable():
        raise InputError(
            f"{what} cannot be kept",
            expected=f"one line of at most {_LONGEST} characters",
            found=f"{len(text)} characters" if len(text) > _LONGEST else "a line break or a control character",
            next_step="say it shorter, with a link for the rest",
        )
    return text


def _ask_git() -> str:
    program = shutil.which("git")
    if program is None:
        return ""
    try:
        asked = subprocess.run(
            [program, "config", "--get", "user.email"],
            capture_output=True,
            text=True,
            timeout=_GIT_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, UnicodeDecodeError, subprocess.TimeoutExpired):
        return ""
    return asked.stdout.strip()


def _name_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"  # a container's user need not be in its password file
