"""One way to run git: in the folder of the workspace, with answers as text and refusals as our errors."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

# GitPython looks for the program when it is imported, and fails there; `open_checkout` says it in our words.
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")

import git

from switchover.errors import InputError, MissingProgramError, TargetError

GitProgram = git.Git
# Asked to end, git still removes its lock files.
_GRACE_SECONDS = 2.0
# The name and password of an address, and what a trace shows of a request.
_SECRETS = re.compile(r"(?<=://)[^/\s]*(?=@)|(?<=authorization: )\S+ \S+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Answer:
    """How git ended: `printed` without the last line end, `complained` without credentials. `late`: it was ended."""

    status: int
    printed: str
    complained: str
    late: bool = False

    @property
    def words(self) -> str:
        """What git complained about, in one line."""
        return self.complained.strip().replace("\n", "; ") or f"exit status {self.status}"


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
    program: git.Git,
    *arguments: str,
    text: str | None = None,
    environment: Mapping[str, str] | None = None,
    seconds: float | None = None,
) -> str:
    """What git printed, without the last line end. Raises `TargetError` with git's own words when it refuses.

    After `seconds` git and all that it started are ended, and that is a refusal too.
    """
    answer = attempt(program, *arguments, text=text, environment=environment, seconds=seconds)
    if answer.status != 0:
        raise refusal(program, arguments[0], answer)
    return answer.printed


def refusal(program: git.Git, command: str, answer: Answer) -> TargetError:
    """The error for an answer that nobody expected."""
    return TargetError(
        f"git {command} failed in {program.working_dir}",
        expected="that git does it",
        found=answer.words,
        next_step="repair the repository and run again; what was done already is not done twice",
    )


def answers(program: git.Git, *arguments: str) -> str:
    """What git printed, or an empty text when it refuses: for questions that may have no answer."""
    answer = attempt(program, *arguments)
    return answer.printed.strip() if answer.status == 0 else ""


def attempt(
    program: git.Git,
    *arguments: str,
    text: str | None = None,
    environment: Mapping[str, str] | None = None,
    seconds: float | None = None,
) -> Answer:
    """Run git, whatever comes of it; `text` is its input. After `seconds` it is ended, with all that it started.

    With `seconds` it has no terminal either, so that nothing can wait there for a person.
    """
    # Quoted paths would hide what a path really is, signatures are shown among what is asked for, and a lock for a
    # mere look disturbs a person at work. Hooks are code of the repository: they must not see what a release knows.
    settings = ("-c", "core.quotePath=false", "-c", "log.showSignature=false", "-c", f"core.hooksPath={os.devnull}")
    command = ["git", *settings, "--no-optional-locks", "--literal-pathspecs", *arguments]
    with tempfile.TemporaryFile() as given:
        given.write((text or "").encode("utf-8", "surrogateescape"))
        given.seek(0)
        try:
            if seconds is not None:
                return _talk(program, command, given, environment, seconds)
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
    return Answer(status, _as_text(printed or ""), redact(complained))


def redact(text: str) -> str:
    """The text without the credentials that addresses in it carry."""
    return _SECRETS.sub("***", text)


def _talk(
    program: git.Git, command: list[str], given: BinaryIO, environment: Mapping[str, str] | None, seconds: float
) -> Answer:
    """GitPython's own limit of time ends git's children, but not theirs, and then waits for those."""
    # GitPython ends the process when it lets go of this.
    running = program.execute(command, istream=given, as_process=True, start_new_session=True, env=environment)
    process = cast("subprocess.Popen[bytes]", running.proc)
    try:
        printed, complained = process.communicate(timeout=seconds)
        status: int | None = process.returncode
    except subprocess.TimeoutExpired:
        # Whoever keeps our end of the conversation open after git itself has ended does not matter.
        status = process.poll()
        printed, complained = _end(process)
    except BaseException:
        _end(process)
        raise
    if status is None:
        said = _as_text(complained).strip()
        return Answer(-1, "", redact(f"no answer within {seconds:.0f} s" + (f"; {said}" if said else "")), late=True)
    return Answer(status, _as_text(printed).removesuffix("\n"), redact(_as_text(complained)))


def _end(process: subprocess.Popen[bytes]) -> tuple[bytes, bytes]:
    """End everything that belongs to the process; return what it had said."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired, ValueError):
            return process.communicate(timeout=_GRACE_SECONDS)
    return b"", b""


def _as_text(said: str | bytes) -> str:
    return said.decode("utf-8", "surrogateescape") if isinstance(said, bytes) else said
