"""One way to run npm: bounded in time, with everything that it started ended with it."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from switchover.errors import MissingProgramError

_PREFIX = re.compile(r"^npm (?:error|ERR!) ?")
_CODE = re.compile(r"^npm (?:error|ERR!) code (?P<code>\S+)$", re.MULTILINE)
_NOISE = ("code ", "Log files were not written", "A complete log of this run")
_LONGEST = 400
_ENDING_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class NpmAnswer:
    """How npm ended, and what it wrote. `status` is None when it was stopped because its time was over."""

    status: int | None
    printed: str
    complained: str

    @property
    def code(self) -> str:
        """The word of npm itself for the failure (`E409`, `ENEEDAUTH`), empty when it has none."""
        found = _CODE.search(self.complained)
        return found["code"] if found else ""

    def explain(self) -> str:
        """What went wrong, in npm's words, in one line."""
        if self.status is None:
            return "npm did not end in time and was stopped"
        lines = [_PREFIX.sub("", line).strip() for line in self.complained.splitlines() if _PREFIX.match(line)]
        said = "; ".join(dict.fromkeys(line for line in lines if line and not line.startswith(_NOISE)))
        return f"npm ended with {self.status}" + (f": {said[:_LONGEST]}" if said else "")


def find_npm(environ: Mapping[str, str], purpose: str) -> str:
    """The program npm on the PATH of `environ`; `MissingProgramError` when there is none."""
    program = shutil.which("npm", path=environ.get("PATH"))
    if program is None:
        raise MissingProgramError(
            purpose, expected="the program npm", found="no npm on the PATH", next_step="install Node.js"
        )
    return program


def run_npm(
    program: str, arguments: Sequence[str], *, folder: Path, environment: Mapping[str, str], seconds: float
) -> NpmAnswer:
    """Run npm in `folder` until it ends, or `seconds` are over; then it and its children are killed."""
    process = subprocess.Popen(
        [program, *arguments],
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        # npm is often a script around node: only the whole group can be ended.
        start_new_session=True,
    )
    try:
        printed, complained = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        return NpmAnswer(None, *_end(process))
    except BaseException:
        _end(process)
        raise
    return NpmAnswer(process.returncode, printed, complained)


def _end(process: subprocess.Popen[str]) -> tuple[str, str]:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    try:
        return process.communicate(timeout=_ENDING_SECONDS)
    except subprocess.TimeoutExpired:  # somebody who left the group holds our pipes
        return "", ""
