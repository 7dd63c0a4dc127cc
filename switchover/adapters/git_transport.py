"""The conversation with one remote: read its refs, fetch, and swap refs there. Nothing in it waits for a person."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from switchover.adapters.git_program import Answer, GitProgram, attempt
from switchover.errors import InputError, SwitchoverError, TargetError

# Credentials come from Git's own helpers, the SSH agent or the configuration: nobody is there to be asked.
_UNATTENDED = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "",
    "SSH_ASKPASS": "",
    "SSH_ASKPASS_REQUIRE": "never",
    "GCM_INTERACTIVE": "never",
}
_NOT_ALLOWED = re.compile(
    r"authentication failed|could not read (username|password)|(permission|access).{0,80}denied|unauthorized|forbidden"
    r"|not authorized|returned error: 40[13]|terminal prompts disabled|host key verification failed"
    r"|repository.{0,200}not found|does not appear to be a git repository",
    re.IGNORECASE,
)
_BUSY = re.compile(r"cannot lock ref|failed to update ref|unable to migrate objects|internal server error|timed out")
_REJECTED = re.compile(r"^!\t[^\t]*\t(.*)$", re.MULTILINE)
_LONGEST_WORDS = 600


@dataclass(frozen=True, slots=True)
class Swap:
    """A ref there and what it becomes, if it is what is expected. An empty hash: no such ref."""

    ref: str
    expected: str
    wanted: str


class Transport:
    """Talks to the remote `name` of a checkout; each conversation ends within `seconds`."""

    def __init__(self, program: GitProgram, name: str, seconds: float) -> None:
        self._program = program
        self._name = name
        self._seconds = seconds

    def read(self, *patterns: str) -> dict[str, str]:
        """The refs there with their objects; `<ref>^{}` is what an annotated tag stands for."""
        answer = self._talk(("ls-remote", "--quiet", self._name, *patterns))
        if answer.status != 0:
            raise self.refuse("the shared repository cannot be read", answer)
        pairs = (line.partition("\t") for line in answer.printed.splitlines())
        return {ref: found for found, _, ref in pairs}

    def fetch(self, refspecs: Iterable[str], *options: str) -> None:
        """Fetch what the refspecs say, and nothing of submodules."""
        asked = "".join(f"{each}\n" for each in refspecs)
        if not asked:
            return
        fixed = ("fetch", "--quiet", "--no-write-fetch-head", "--no-recurse-submodules")
        answer = self._talk((*fixed, *options, "--stdin", self._name), text=asked)
        if answer.status != 0:
            raise self.refuse("the shared repository cannot be fetched", answer)

    def push(self, swaps: Iterable[Swap], *, atomic: bool = False, seconds: float | None = None) -> Answer:
        """Ask for these swaps, `atomic`: all or none. The checkout's own hooks are not asked."""
        asked = tuple(swaps)
        leases = (f"--force-with-lease={swap.ref}:{swap.expected}" for swap in asked)
        options = ("--no-verify", *(("--atomic",) if atomic else ()))
        fixed = ("push", "--porcelain", "--no-follow-tags", "--recurse-submodules=no")
        refspecs = (f"{swap.wanted}:{swap.ref}" for swap in asked)
        return self._talk((*fixed, *options, *leases, self._name, *refspecs), seconds=seconds)

    def refuse(self, failed: str, answer: Answer) -> SwitchoverError:
        """The error for an answer, in the server's own words: the user's to mend, or the world's."""
        if not answer.late and (is_rejected(answer) or _NOT_ALLOWED.search(answer.complained)):
            return InputError(
                failed,
                expected=f"that the remote {self._name} lets this account do it",
                found=_quote(answer),
                next_step="give the account the right to do it (or Git its credentials); where nobody may push to the "
                'branch, let releases be proposed: versions = "pull-request"',
            )
        return TargetError(
            failed,
            expected=f"an answer of the remote {self._name}",
            found=_quote(answer),
            next_step="see whether it can be reached, then run again; what was done already is not done twice",
        )

    def _talk(self, arguments: tuple[str, ...], *, text: str = "", seconds: float | None = None) -> Answer:
        limit = min(self._seconds, seconds or self._seconds)
        return attempt(self._program, *arguments, text=text, environment=_UNATTENDED, seconds=limit)


def is_rejected(answer: Answer) -> bool:
    """Whether the server understood the push and said no, and not merely that it was busy."""
    return "[remote rejected]" in answer.printed and not _BUSY.search(answer.printed)


def _quote(answer: Answer) -> str:
    """What the server said, else what git made of it."""
    lines = [line.removeprefix("remote:").strip() for line in answer.complained.splitlines() if line[:7] == "remote:"]
    words = "; ".join([*(line for line in lines if line), *_REJECTED.findall(answer.printed)]) or answer.words
    return words if len(words) <= _LONGEST_WORDS else f"{words[:_LONGEST_WORDS]}…"
