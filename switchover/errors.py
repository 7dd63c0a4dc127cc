"""One error class per reaction of the caller.

Every error says what failed, what was expected, what was found and what to do next. The command line
prints the four and nothing else; a traceback is only ever shown for a defect of our own.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """What an operator needs to know about a failure, each part one clause without a final period."""

    failed: str
    expected: str
    found: str
    next_step: str

    def __str__(self) -> str:
        """Write the four parts as the command line prints them."""
        return f"{self.failed}\n  expected: {self.expected}\n  found:    {self.found}\n  next:     {self.next_step}"


class SwitchoverError(Exception):
    """The root of all errors that are not defects of our own."""

    exit_status = 1

    def __init__(self, failed: str, *, expected: str, found: str, next_step: str) -> None:
        self.problem = Problem(failed, expected, found, next_step)
        super().__init__(str(self.problem))

    def __reduce__(self) -> tuple[object, ...]:
        """Survive pickling, which keyword-only arguments otherwise prevent."""
        return (_rebuild, (type(self), self.problem))


def _rebuild(kind: type[SwitchoverError], problem: Problem) -> SwitchoverError:
    return kind(problem.failed, expected=problem.expected, found=problem.found, next_step=problem.next_step)


class InputError(SwitchoverError):
    """The user's configuration, arguments or repository are wrong. Reaction: correct them and call again."""

    exit_status = 2


class BusyError(SwitchoverError):
    """Somebody else holds the environment's lease. Reaction: wait, or take over with a rollback."""


class FencedError(SwitchoverError):
    """A higher epoch has taken the environment over. Reaction: stop at once and touch nothing."""


class LedgerConflictError(SwitchoverError):
    """The ledger changed between a read and a write. Reaction: read again and decide again."""


class LedgerUnreadableError(SwitchoverError):
    """The ledger is broken, or from a newer version. Reaction: a person looks; nothing is changed."""


class UnhealthyError(SwitchoverError):
    """The new release was judged bad. Reaction: roll back."""


class TargetError(SwitchoverError):
    """The target refused an effect or did not reach the wanted state. Reaction: repeat, then roll back."""


class UnseenError(TargetError):
    """A change was made and accepted, but nobody could look whether it holds. Reaction: going back goes on without."""


class MissingProgramError(SwitchoverError):
    """A program that a step needs is not on this machine. Reaction: install it, or skip the step by name."""
