"""An in-memory stand-in for the port `Remote`, held to the contract suite in `tests/contracts/test_remote.py`.

Commits are names; `SharedRepository.parents` says which one each was made on top of.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from switchover.decide.outcome import Done, Outcome, Skipped
from switchover.errors import BusyError, FencedError, InputError


@dataclass(slots=True)
class SharedRepository:
    """What several checkouts share. `holder` has the release lock; empty: nobody."""

    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    marks: dict[str, str] = field(default_factory=dict)
    parents: dict[str, str] = field(default_factory=dict)
    holder: str = ""

    def contains(self, commit: str, ancestor: str) -> bool:
        while commit:
            if commit == ancestor:
                return True
            commit = self.parents.get(commit, "")
        return False


@dataclass(slots=True)
class InMemoryCheckout:
    """One machine's side. `seen` is the branch there when it was looked at last."""

    branch: str = "main"
    head: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    marks: dict[str, str] = field(default_factory=dict)
    seen: str = ""


@dataclass(slots=True)
class InMemoryRemote:
    """Port `Remote` of one checkout."""

    checkout: InMemoryCheckout
    shared: SharedRepository
    held_as: str = ""

    @contextmanager
    def alone(self, holder: str) -> Iterator[None]:
        if self.shared.holder:
            raise BusyError(
                "a release of the shared repository is under way",
                expected="one release at a time",
                found=self.shared.holder,
                next_step="wait until it has ended, then run again",
            )
        self.shared.holder = self.held_as = holder
        try:
            yield
        finally:
            if self.shared.holder == self.held_as:
                self.shared.holder = ""
            self.held_as = ""

    def require_alone(self) -> None:
        self._require_lock()

    def catch_up(self) -> None:
        for tag, there in self.shared.tags.items():
            self._refuse_moved(tag, self.checkout.tags.get(tag, there), there)
        self.checkout.tags.update(self.shared.tags)
        self.checkout.marks = dict(self.shared.marks)
        self.checkout.seen = self.shared.branches.get(self.checkout.branch, "")
        if self.shared.contains(self.checkout.seen, self.checkout.head):
            self.checkout.head = self.checkout.seen
        self._refuse_diverged()

    def is_level(self) -> bool:
        return self.checkout.head == self.checkout.seen

    def push_branch(self) -> None:
        self._refuse_diverged()
        head = self.checkout.head
        if head == self.checkout.seen:
            return
        self._require_lock()
        if self.shared.branches.get(self.checkout.branch, "") != self.checkout.seen:
            raise BusyError(
                "the branch cannot be pushed",
                expected=self.checkout.seen,
                found="somebody pushed meanwhile",
                next_step="run again",
            )
        self.shared.branches[self.checkout.branch] = self.checkout.seen = head

    def push_commit(self, commit: str, branch: str) -> None:
        if self.shared.branches.get(branch) != commit:
            self._require_lock()
            self.shared.branches[branch] = commit

    def read_tags(self) -> dict[str, str]:
        return dict(self.shared.tags)

    def push_tag(self, tag: str) -> Outcome:
        here = self.checkout.tags.get(tag)
        if here is None:
            raise InputError(
                f"the tag {tag} cannot be pushed", expected="the tag", found="no such tag", next_step="put it"
            )
        there = self.shared.tags.get(tag)
        if there is not None:
            self._refuse_moved(tag, here, there)
            return Skipped("push", f"{tag} is there already")
        self._require_lock()
        self.shared.tags[tag] = here
        return Done("push", tag)

    def push_marks(self, tags: tuple[str, ...]) -> None:
        wanted = {tag: self.checkout.marks[tag] for tag in tags if tag in self.checkout.marks}
        if wanted.items() - self.shared.marks.items():
            self._require_lock()
            self.shared.marks.update(wanted)

    def drop_marks(self, tags: tuple[str, ...]) -> None:
        if set(tags) & set(self.shared.marks):
            self._require_lock()
            for tag in tags:
                self.shared.marks.pop(tag, None)

    def _require_lock(self) -> None:
        if self.held_as and self.shared.holder != self.held_as:
            raise FencedError(
                "this release is no longer the only one of the shared repository",
                expected=self.held_as,
                found=self.shared.holder or "nobody",
                next_step="when the other release has ended, run again",
            )

    def _refuse_diverged(self) -> None:
        head, seen = self.checkout.head, self.checkout.seen
        if seen and not self.shared.contains(head, seen):
            raise InputError(
                "the branches have diverged", expected="one of them", found=f"{head}, {seen}", next_step="git rebase"
            )

    @staticmethod
    def _refuse_moved(tag: str, here: str, there: str) -> None:
        if here != there:
            raise InputError(f"the tag {tag} is elsewhere", expected=here, found=there, next_step="look which is right")
