"""Where the release lock of a shared repository lies, who holds it, and how it is taken.

The ref lies outside branches and tags, so that nothing is built from it and nobody fetches it. GitHub, GitLab and
Gitea take any such ref that they do not hide; servers that take nothing but branches and tags (Alibaba's Codeup, or
a hook of one's own) get a branch instead. Both names are looked at, so whoever may write only one of them is still
kept out.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from switchover.adapters.git_lock_record import LockRecord, is_over, read_record, write_record
from switchover.adapters.git_program import Answer, GitProgram, answers
from switchover.adapters.git_transport import Swap, Transport, is_rejected
from switchover.errors import BusyError, TargetError

# Where our own refs lie there: the first that the server takes.
SPACES = ("refs/switchover/", "refs/heads/switchover/")
LOCK = "release-lock"
LOCK_REFS = tuple(space + LOCK for space in SPACES)
_ATTEMPTS = 3


class LockRefs:
    """The lock of the repository behind `transport`; `name` is what the remote is called here."""

    def __init__(self, program: GitProgram, transport: Transport, name: str, clock: Callable[[], float]) -> None:
        self._program = program
        self._transport = transport
        self._name = name
        self._clock = clock

    def take(self, record: LockRecord) -> tuple[str, str]:
        """Take the lock; return where it is there and what it is. `BusyError` where somebody else holds it."""
        refused: list[Answer] = []
        for ref in LOCK_REFS:
            for _ in range(_ATTEMPTS):
                before = self._look()
                now = self._clock()
                commit = write_record(self._program, record, now)
                answer = self._transport.push((Swap(ref, before.get(ref, ""), commit),))
                # Who uses the other name looks here after writing there: at least one of us sees the other.
                after = self._look_beside(ref, commit)
                if after.get(ref) == commit:
                    return ref, commit
                if after.get(ref) == before.get(ref):
                    refused.append(answer)
                    break
            if not (refused and is_rejected(refused[-1])):
                break
        failed = "the shared repository cannot be locked for a release"
        if refused:
            raise self._transport.refuse(failed, refused[0])
        raise TargetError(
            failed,
            expected="that the lock stays as it is for a moment",
            found=f"it changed {_ATTEMPTS} times while it was taken",
            next_step="run again",
        )

    def _look_beside(self, ref: str, commit: str) -> dict[str, str]:
        try:
            return self._look(commit)
        except BusyError:
            self._transport.push((Swap(ref, commit, ""),))
            raise

    def _look(self, ours: str = "") -> dict[str, str]:
        """What the lock is there, under both names; `BusyError` when somebody else holds it."""
        for attempt in range(_ATTEMPTS):
            found = self._transport.read(*LOCK_REFS)
            others = {ref: commit for ref, commit in found.items() if ref in LOCK_REFS and commit != ours}
            with suppress(*((TargetError,) if attempt + 1 < _ATTEMPTS else ())):  # it may go while we look
                missing = [ref for ref, commit in others.items() if not self.has(commit)]
                if missing:
                    self._transport.fetch(missing, "--no-tags")
            if all(self.has(commit) for commit in others.values()):
                break
        for ref, commit in others.items():
            record = read_record(self._program, commit)
            if record is None or not is_over(record, self._clock()):
                raise self._busy(ref, commit, record)
        return found

    def has(self, commit: str) -> bool:
        """Whether the checkout has the object."""
        return bool(answers(self._program, "cat-file", "-t", commit))

    def _busy(self, ref: str, commit: str, record: LockRecord | None) -> BusyError:
        return BusyError(
            "a release of the shared repository is under way",
            expected="one release at a time",
            found=str(record) if record else f"{ref} at {commit[:12]}, which this version cannot read",
            next_step="wait until it has ended, then run again; one that was killed ends with its time, or at once by: "
            f"git push {self._name} --delete {ref}",
        )
