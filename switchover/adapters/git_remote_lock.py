"""One release at a time in a shared repository: a ref there that says who is at work, changed by compare-and-swap.

Every write that goes there while the lock is held renews it in the same transaction: if somebody has taken it over,
the server refuses the write as well. AWS CodeCommit knows no such transaction: there the lock is renewed just before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from threading import Event, RLock, Thread

from switchover.adapters.git_lock_record import LockRecord, new_record, read_record, write_record
from switchover.adapters.git_lock_refs import LOCK, LOCK_REFS, SPACES, LockRefs
from switchover.adapters.git_program import Answer, GitProgram
from switchover.adapters.git_transport import Swap, Transport
from switchover.errors import FencedError, SwitchoverError

_NO_TRANSACTIONS = "does not support --atomic"
_ATTEMPTS = 3


@dataclass(slots=True)
class _Held:
    """Our lock: where it is, what it is there as far as we know, and all that we have asked it to be."""

    ref: str
    commit: str
    record: LockRecord
    sent: set[str] = field(default_factory=set)
    taken_over: str = ""

    def __post_init__(self) -> None:
        self.sent.add(self.commit)


class RemoteLock:
    """The lock of the repository behind `transport`, held for `term_seconds` at a time. `clock` tells the time."""

    def __init__(
        self, program: GitProgram, transport: Transport, name: str, term_seconds: float, clock: Callable[[], float]
    ) -> None:
        self._program = program
        self._transport = transport
        self._refs = LockRefs(program, transport, name, clock)
        self._term_seconds = term_seconds
        self._clock = clock
        self._guard = RLock()
        self._held: _Held | None = None
        self._transactions = True

    @property
    def space(self) -> str:
        """Where our refs go there."""
        return self._held.ref.removesuffix(LOCK) if self._held else SPACES[0]

    @contextmanager
    def hold(self, holder: str) -> Iterator[None]:
        """Hold the lock, renewed every third of its term; `BusyError` where somebody else does."""
        record = new_record(holder, self._clock(), self._term_seconds)
        with self._guard:
            self._held = _Held(*self._refs.take(record), record)
        stop = Event()
        renewing = Thread(target=self._keep, args=(stop,), name="release-lock", daemon=True)
        renewing.start()
        try:
            yield
        finally:
            stop.set()
            renewing.join()
            with self._guard, suppress(SwitchoverError):  # what is not given back ends by itself
                self._give_back()
            self._held = None

    def require(self) -> None:
        """Raise `FencedError` when the lock was held and is lost; one whose term is over is renewed first."""
        with self._guard:
            held = self._held
            if held is None:
                return
            if held.taken_over:
                raise self._fenced(held)
            if self._clock() >= held.record.until:
                self._renew(held)

    def write(self, failed: str, *swaps: Swap) -> dict[str, str]:
        """Ask for these swaps, all or none; return what the refs are there now: as wanted, or somebody else's.

        Raises `FencedError` when the lock was held and is no longer ours, and for a server that refused or was
        silent the error of `Transport.refuse`, which begins with `failed`.
        """
        with self._guard:
            for _ in range(_ATTEMPTS):
                answer = self._push(swaps)
                if answer.status == 0:
                    break
                known = self._held.commit if self._held else ""
                found = self._look_after(failed, answer, swaps)
                if all(found[swap.ref] == swap.wanted for swap in swaps):
                    break
                if any(found[swap.ref] not in (swap.expected, swap.wanted) for swap in swaps):
                    return found
                # A renewal whose answer was lost has moved the lock: that alone is why the server refused.
                if not self._held or self._held.commit == known:
                    raise self._transport.refuse(failed, answer)
            else:
                raise self._transport.refuse(failed, answer)
        return {swap.ref: swap.wanted for swap in swaps}

    def _push(self, swaps: tuple[Swap, ...]) -> Answer:
        """Push; with a renewal of the lock in the same transaction where one is held."""
        held = self._held
        if self._transactions:
            renewals = [self._plan_renewal(held)] if held else []
            answer = self._transport.push((*swaps, *renewals), atomic=True)
            if held and answer.status == 0:
                held.commit = renewals[0].wanted
            if _NO_TRANSACTIONS not in answer.complained:
                return answer
            self._transactions = False
        if held:
            self._renew(held)
        return self._transport.push(swaps)

    def _look_after(self, failed: str, answer: Answer, swaps: tuple[Swap, ...]) -> dict[str, str]:
        """What the refs are after a push that failed, or whose answer was lost."""
        try:
            found = self._transport.read(*(swap.ref for swap in swaps), *LOCK_REFS)
        except SwitchoverError as error:
            raise self._transport.refuse(failed, answer) from error
        if self._held:
            self._require_ours(self._held, found.get(self._held.ref, ""))
        return {swap.ref: found.get(swap.ref, "") for swap in swaps}

    def _keep(self, stop: Event) -> None:
        """Renew until told to stop, or until the lock is lost. A silent server is asked again."""
        while not stop.wait(self._term_seconds / 3):
            with self._guard:
                if self._held is None or self._held.taken_over:
                    return
                with suppress(SwitchoverError):
                    self._renew(self._held)

    def _plan_renewal(self, held: _Held) -> Swap:
        if held.taken_over:
            raise self._fenced(held)
        now = self._clock()
        held.record = held.record.renewed(now + self._term_seconds)
        commit = write_record(self._program, held.record, now)
        held.sent.add(commit)
        return Swap(held.ref, held.commit, commit)

    def _renew(self, held: _Held) -> None:
        """Hold the lock for another term. Raises `FencedError` when it is no longer ours."""
        for _ in range(_ATTEMPTS):
            renewal = self._plan_renewal(held)
            answer = self._transport.push((renewal,), seconds=self._term_seconds / 3)
            if answer.status == 0:
                held.commit = renewal.wanted
                return
            known = held.commit
            self._require_ours(held, self._transport.read(held.ref).get(held.ref, ""))
            if held.commit == renewal.wanted:
                return
            if held.commit == known:
                break
        raise self._transport.refuse("the release lock cannot be renewed", answer)

    def _require_ours(self, held: _Held, commit: str) -> None:
        """Note what our lock is there; raise `FencedError` when it is somebody else's, or gone."""
        if commit in held.sent:
            held.commit = commit
            return
        held.taken_over = commit or "nobody"
        raise self._fenced(held)

    def _fenced(self, held: _Held) -> FencedError:
        if held.taken_over != "nobody" and not self._refs.has(held.taken_over):
            with suppress(SwitchoverError):
                self._transport.fetch((held.ref,), "--no-tags")
        taker = read_record(self._program, held.taken_over) if held.taken_over != "nobody" else None
        return FencedError(
            "this release is no longer the only one of the shared repository",
            expected=f"the lock of {held.record.holder} at {held.ref}",
            found=f"it was taken over by {taker or held.taken_over}",
            next_step="nothing more is pushed by this run; when the other release has ended, run again",
        )

    def _give_back(self) -> None:
        """Remove the lock; where nothing may be removed it says that it is given back."""
        held = self._held
        if held is None or held.taken_over:
            return
        for _ in range(_ATTEMPTS):
            answer = self._transport.push((Swap(held.ref, held.commit, ""),))
            if answer.status == 0:
                return
            known = held.commit
            self._require_ours(held, self._transport.read(held.ref).get(held.ref, ""))
            if held.commit == known:
                held.record = replace(held.record, released=True)
                self._renew(held)
                return
