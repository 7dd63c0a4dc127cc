"""The shared Git repository behind a remote of a checkout, as a release needs it."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from switchover.adapters.git_commits import find_commit
from switchover.adapters.git_history import MARKS, UNSHARED, WITHDRAWN, GitHistory
from switchover.adapters.git_lock_refs import SPACES
from switchover.adapters.git_program import answers, attempt, open_checkout, run
from switchover.adapters.git_remote_lock import RemoteLock
from switchover.adapters.git_transport import Swap, Transport
from switchover.adapters.git_work_tree import require_branch
from switchover.decide.outcome import Done, Outcome, Skipped
from switchover.errors import BusyError, InputError

TERM_SECONDS = 120.0
_PATIENCE_SECONDS = 300.0
_UNDER_WAY = MARKS.rsplit("/", 2)[1] + "/"
_PEELED = "^{}"


class GitRemote:
    """The remote `name` (as in `git remote`) of the checkout that holds `root`.

    The release lock is held for `term_seconds` at a time; a conversation with the remote ends within
    `patience_seconds`; `clock` tells the seconds of the epoch. Raises `InputError` where there is no such checkout
    or remote, `MissingProgramError` without git.
    """

    def __init__(
        self,
        root: Path,
        name: str,
        *,
        term_seconds: float = TERM_SECONDS,
        patience_seconds: float = _PATIENCE_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._git = open_checkout(root)
        self._history = GitHistory(root)
        self._name = name
        known = run(self._git, "remote").split()
        if name not in known:
            raise InputError(
                f"the checkout has no remote {name}",
                expected=f"one of {', '.join(known)}" if known else "a remote",
                found=name,
                next_step="correct release.remote" + ("" if known else f", or run: git remote add {name} <address>"),
            )
        self._transport = Transport(self._git, name, patience_seconds)
        self._lock = RemoteLock(self._git, self._transport, name, term_seconds, clock)

    def alone(self, holder: str) -> AbstractContextManager[None]:
        """Be the only release of the shared repository, renewed while it lasts; `BusyError` names who holds it.

        A holder that died ends with its term, on its own machine at once. Should somebody take the lock over (after
        this machine slept, say), the next write here raises `FencedError`, and nothing is written.
        """
        return self._lock.hold(holder)

    def require_alone(self) -> None:
        """Raise `FencedError` when `alone` is no longer true: the lock was lost, while this machine slept say."""
        self._lock.require()

    def catch_up(self) -> None:
        """Fetch branch, tags and marks, and bring the branch forward to the remote's; being ahead is fine.

        Marks that are not there any more are gone here too.

        `InputError` when the two have diverged, for a tag that is elsewhere there, and for a detached HEAD. A
        shallow clone gets what leads on from it; it is completed only where nothing else tells how the two relate.
        """
        branch = require_branch(self._git)
        ref, seen_ref = f"refs/heads/{branch}", self._seen_ref(branch)
        there = self._transport.read(ref, "refs/tags/*", *(f"{space}{_UNDER_WAY}*" for space in SPACES))
        self._refuse_moved_tags(there)
        wanted = [f"+{ref}:{seen_ref}"] if ref in there else []
        self._transport.fetch([*wanted, *self._list_missing(there)], "--no-tags")
        self._forget_marks(there)
        self._take_back(self._find_seen(branch) if ref in there else "")
        if ref in there:
            self._bring_forward(branch, self._find_seen(branch))
        else:
            run(self._git, "update-ref", "-d", seen_ref)

    def push_branch(self) -> None:
        """Bring the branch that is checked out there; `BusyError` when it is not what `catch_up` has seen.

        `InputError` with the server's words where it lets nobody push there.
        """
        branch = require_branch(self._git)
        head, seen = run(self._git, "rev-parse", "HEAD"), self._find_seen(branch)
        if head == seen:
            return
        if seen and not self._contains(head, seen):
            raise self._diverged(branch, head, seen)
        failed = f"the branch {branch} cannot be pushed to {self._name}"
        swap = Swap(f"refs/heads/{branch}", seen, head)
        self._require(failed, swap, self._lock.write(failed, swap)[swap.ref])
        run(self._git, "update-ref", self._seen_ref(branch), head)
        run(self._git, "update-ref", "-d", UNSHARED)

    def push_commit(self, commit: str, branch: str) -> None:
        """Let a branch of ours be at this commit, whatever it was."""
        ref = f"refs/heads/{branch}"
        swap = Swap(ref, self._transport.read(ref).get(ref, ""), commit)
        if swap.expected != commit:
            failed = f"the branch {branch} cannot be pushed to {self._name}"
            self._require(failed, swap, self._lock.write(failed, swap)[ref])

    def read_tags(self) -> dict[str, str]:
        """All tags there with the commits that they stand for."""
        return _peel(self._transport.read("refs/tags/*"))

    def push_tag(self, tag: str) -> Outcome:
        """Bring our tag there: a skip when it is there, an `InputError` when it is elsewhere there, or missing here."""
        ref = f"refs/tags/{tag}"
        here = find_commit(self._git, ref)
        failed = f"the tag {tag} cannot be pushed to {self._name}"
        if not here:
            raise InputError(
                failed,
                expected="the tag in this checkout",
                found="no such tag",
                next_step="run the release again: it puts the tag and pushes it",
            )
        there = _peel(self._transport.read(ref, ref + _PEELED)).get(tag, "")
        if not there:
            swap = Swap(ref, "", run(self._git, "rev-parse", ref))
            if self._lock.write(failed, swap)[ref] == swap.wanted:
                return Done("push", f"{tag} at {here[:12]}")
            there = _peel(self._transport.read(ref, ref + _PEELED)).get(tag, "")
        if there != here:
            raise self._moved(tag, here, there)
        return Skipped("push", f"{tag} is there already")

    def push_marks(self, tags: tuple[str, ...]) -> None:
        """Bring the marks of `History` for these tags there; a tag without a mark has nothing to bring."""
        marks = self._history.read_marks()
        wanted = {f"{self._lock.space}{_UNDER_WAY}{tag}": marks[tag] for tag in tags if tag in marks}
        self._swap_marks(wanted)

    def drop_marks(self, tags: tuple[str, ...]) -> None:
        """Remove the marks for these tags there; those that are not there are no matter."""
        self._swap_marks({f"{space}{_UNDER_WAY}{tag}": "" for space in SPACES for tag in tags})

    def _swap_marks(self, wanted: dict[str, str]) -> None:
        there = self._transport.read(*(f"{space}{_UNDER_WAY}*" for space in SPACES)) if wanted else {}
        swaps = [Swap(ref, there.get(ref, ""), commit) for ref, commit in wanted.items()]
        moving = [swap for swap in swaps if swap.expected != swap.wanted]
        if moving:
            failed = f"the marks of releases under way cannot be changed at {self._name}"
            found = self._lock.write(failed, *moving)
            for swap in moving:
                self._require(failed, swap, found[swap.ref])

    def _list_missing(self, there: dict[str, str]) -> list[str]:
        """What to fetch beside the branch: the marks, and the tags that are not here.

        What a shallow clone lacks may need the whole history below it: there only tags of commits that it has, and
        those of withdrawn releases, which say what must not be pointed at.
        """
        known = set(run(self._git, "for-each-ref", "--format=%(refname)", "refs/tags").splitlines())
        tags = [ref for ref in there if ref.startswith("refs/tags/") and not ref.endswith(_PEELED) and ref not in known]
        if self._history.is_shallow():
            noted = f"refs/tags/{WITHDRAWN}"
            tags = [ref for ref in tags if ref.startswith(noted) or self._has(there.get(ref + _PEELED, there[ref]))]
        marks = {
            MARKS + ref.removeprefix(space + _UNDER_WAY): ref
            for space in reversed(SPACES)
            for ref in there
            if ref.startswith(space + _UNDER_WAY)
        }
        return [*(f"{ref}:{ref}" for ref in tags), *(f"+{ref}:{mark}" for mark, ref in marks.items())]

    def is_level(self) -> bool:
        """Whether the branch here is what `catch_up` has seen there."""
        return run(self._git, "rev-parse", "HEAD") == self._find_seen(require_branch(self._git))

    def _take_back(self, seen: str) -> None:
        """Drop a release commit on top that never got there; one with a tag was released before there was a remote."""
        head = run(self._git, "rev-parse", "HEAD")
        if head != find_commit(self._git, UNSHARED):
            return
        shared = bool(seen) and self._contains(seen, head)
        if not shared and not run(self._git, "tag", "--points-at", "HEAD"):
            run(self._git, "reset", "--quiet", "--keep", "HEAD^")
        run(self._git, "update-ref", "-d", UNSHARED)

    def _forget_marks(self, there: dict[str, str]) -> None:
        """A mark that is not there is of a release that another machine has ended, or that never made anything."""
        under_way = {ref.removeprefix(space + _UNDER_WAY) for space in SPACES for ref in there}
        for tag in set(self._history.read_marks()) - under_way:
            self._history.drop_mark(tag)

    def _refuse_moved_tags(self, there: dict[str, str]) -> None:
        """Two objects for one commit (put by two machines) are no matter: the commit counts."""
        shape = "--format=%(refname:lstrip=2) %(objectname) %(*objectname)"
        for line in run(self._git, "for-each-ref", shape, "refs/tags").splitlines():
            tag, *here = line.split()
            found = there.get(f"refs/tags/{tag}", here[0])
            peeled = there.get(f"refs/tags/{tag}{_PEELED}", found)
            if found != here[0] and peeled != here[-1]:
                raise self._moved(tag, here[-1], peeled)

    def _bring_forward(self, branch: str, seen: str) -> None:
        head = run(self._git, "rev-parse", "HEAD")
        if self._history.is_shallow() and not self._contains(head, seen) and not self._contains(seen, head):
            self._transport.fetch([f"+refs/heads/{branch}:{self._seen_ref(branch)}"], "--unshallow", "--no-tags")
        if self._contains(head, seen):
            return
        if not self._contains(seen, head):
            raise self._diverged(branch, head, seen)
        answer = attempt(self._git, "merge", "--ff-only", "--quiet", seen)
        if answer.status != 0:
            raise InputError(
                f"the branch {branch} cannot be brought forward to {self._name}'s",
                expected="a work tree that can follow",
                found=answer.words,
                next_step=f"bring it there by hand: git merge --ff-only {self._name}/{branch}",
            )

    def _require(self, failed: str, swap: Swap, found: str) -> None:
        if found != swap.wanted:
            raise BusyError(
                failed,
                expected=f"{swap.ref} at {swap.expected[:12] or 'nothing'}, as this run has seen it",
                found=f"{found[:12] or 'nothing'}: somebody pushed meanwhile",
                next_step="run again: the plan is made anew from what is there now",
            )

    def _diverged(self, branch: str, head: str, seen: str) -> InputError:
        return InputError(
            f"the branch {branch} and that of {self._name} have diverged",
            expected="that one of the two contains the other",
            found=f"{head[:12]} here, {seen[:12]} there",
            next_step=f"bring them together, then run again: git rebase {self._name}/{branch}; if the commits here are "
            f"an unfinished release's alone: git reset --keep {self._name}/{branch}",
        )

    def _moved(self, tag: str, here: str, there: str) -> InputError:
        return InputError(
            f"the tag {tag} is elsewhere at {self._name}",
            expected=f"{here[:12]}, as in this checkout",
            found=f"{there[:12] or 'nothing'} there",
            next_step=f"look which is right; theirs is taken by: git fetch --force {self._name} tag {tag}",
        )

    def _seen_ref(self, branch: str) -> str:
        return f"refs/remotes/{self._name}/{branch}"

    def _find_seen(self, branch: str) -> str:
        return find_commit(self._git, self._seen_ref(branch))

    def _contains(self, commit: str, ancestor: str) -> bool:
        return attempt(self._git, "merge-base", "--is-ancestor", ancestor, commit).status == 0

    def _has(self, commit: str) -> bool:
        return bool(answers(self._git, "cat-file", "-t", commit))


def _peel(refs: dict[str, str]) -> dict[str, str]:
    """Tags with what they stand for, out of what `ls-remote` says."""
    tags = {ref.removeprefix("refs/tags/"): found for ref, found in refs.items() if ref.startswith("refs/tags/")}
    return {tag: tags.get(tag + _PEELED, found) for tag, found in tags.items() if not tag.endswith(_PEELED)}
