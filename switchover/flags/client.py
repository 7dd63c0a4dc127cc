"""The client: what an application asks, kept up to date by a feed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from switchover.flags.compiler import compile_set
from switchover.flags.complaints import Complaints
from switchover.flags.events import Event, EventKind, Handler, Handlers
from switchover.flags.flag_set import Compiler, FlagSet
from switchover.flags.forks import forget, restart_in_children
from switchover.flags.ports import FlagFeed, Recorder
from switchover.flags.questions import Questions
from switchover.flags.snapshot import Edits, Snapshot
from switchover.flags.status import State, Status

if TYPE_CHECKING:
    from switchover.flags.context_cache import CacheStatistics, ContextCache

_AGAIN_SECONDS: Final = 2.0


def _compile(snapshot: Snapshot, before: FlagSet) -> FlagSet:
    return compile_set(snapshot, before=before)


class Client(Questions):
    """Asks flags of the set that `feed` brings; it is the feed's `Listener`.

    Starts the feed and the recorder at once and waits for neither: until the first set has come callers get their
    defaults (`wait_ready`). While the place cannot be asked the last known values are served. Threads and coroutines
    share one client; a forked child goes on with it. Close it at the end, or use it in a `with` statement.
    `compiler` is another one where somebody else's SDK evaluates; there a `cache` may save time.
    """

    def __init__(
        self,
        feed: FlagFeed,
        *,
        recorder: Recorder | None = None,
        compiler: Compiler = _compile,
        cache: ContextCache | None = None,
        name: str | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name or "flags"
        self._feed = feed
        self._recorder = recorder
        self._compile = compiler if cache is None else cache.over(compiler)
        self._cache = cache
        self._monotonic = monotonic
        self._complaints = Complaints(self._name)
        self._handlers = Handlers(self._complaints)
        self._flag_set = FlagSet()
        self._answers = self._flag_set.answers
        self._has_set = False
        self._state = State.STARTING
        self._why = ""
        self._vouched_at = monotonic()
        self._ready = threading.Event()
        self._closed = False
        self._refused: Snapshot | None = None
        self._again_at = 0.0
        restart_in_children(self)
        self._start()

    def __repr__(self) -> str:
        """The name and how it is doing."""
        return f"Client({self._name!r}, {self._state}, version {self._flag_set.snapshot.version})"

    def __enter__(self) -> Self:
        """The client itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    @property
    def status(self) -> Status:
        """How the client is doing now."""
        snapshot = self._flag_set.snapshot
        age = max(0.0, self._monotonic() - self._vouched_at)
        return Status(self._state, snapshot.version, snapshot.lineage, age, len(self._answers), self._why)

    @property
    def name(self) -> str:
        """What it is called in logs and metrics."""
        return self._name

    @property
    def recorder(self) -> Recorder | None:
        """Who counts the answers; None: nobody does."""
        return self._recorder

    @property
    def cache_statistics(self) -> CacheStatistics | None:
        """How often the cache had the answer; None without one."""
        return None if self._cache is None else self._cache.statistics

    def subscribe(self, handler: Handler) -> Callable[[], None]:
        """Have `handler` told of every `Event`, from the feed's thread: it should be brief, for the next change waits.

        What is returned ends the subscription.
        """
        return self._handlers.add(handler)

    def wait_ready(self, timeout_seconds: float) -> bool:
        """Wait until the place has answered, or could not be asked and there is a last known set to go on with.

        So whoever waits is not answered from yesterday's file while today's set is on its way. False when there is no
        set to answer from in time.
        """
        return self._ready.wait(timeout_seconds) or self._has_set

    def close(self) -> None:
        """End the feed and flush the recorder. Flags still answer, from the last known values. May be repeated."""
        if self._closed:
            return
        self._closed = True
        forget(self)
        self._guard("stopping the feed", self._feed.stop)
        if self._recorder is not None:
            self._guard("stopping the recorder", self._recorder.stop)
        self._state, self._why = self._without_place(), "the client is closed"

    @property
    def served(self) -> Snapshot:
        """The set that answers come from."""
        return self._flag_set.snapshot

    def replace(self, snapshot: Snapshot, *, vouched: bool = True, age_seconds: float | None = None) -> None:
        """Answer from this set; where it cannot be compiled go on with the one before, and try again later."""
        if self._closed:
            return
        try:
            flag_set = self._compile(snapshot, self._flag_set)
        except Exception as error:  # noqa: BLE001 - the feed must live on: the next set may be the repaired one
            self._complaints.about("compiling a set", error)
            self._refused, self._again_at = snapshot, self._monotonic() + _AGAIN_SECONDS
            self._lose_refused(snapshot)
            return
        self._refused = None
        before, self._flag_set = self._flag_set, flag_set
        self._answers = flag_set.answers
        if self._recorder is not None:
            recorder = self._recorder
            self._guard("telling the recorder of a set", lambda: recorder.swapped(flag_set))
        first, self._has_set = not self._has_set, True
        if vouched:
            self.confirm()
        else:
            self._remember(age_seconds)
        changed = () if first else _changed_keys(before, flag_set)
        if changed:
            self._tell(EventKind.CHANGED, keys=changed)

    def apply(self, snapshot: Snapshot, edits: Edits) -> None:  # noqa: ARG002 - compiling finds them by itself
        """Answer from this set; flags that are as before are not compiled again."""
        self.replace(snapshot)

    def confirm(self) -> None:
        """The set is still the one that the place has: what vouches for the answers, unless it cannot be compiled."""
        if self._refused is not None:
            self._retry(self._refused)
            return
        if self._closed or not self._has_set:
            return
        self._vouched_at = self._monotonic()
        if self._state is not State.READY:
            self._state, self._why = State.READY, ""
            self._ready.set()
            self._tell(EventKind.READY)

    def lose(self, why: str) -> None:
        """Go on with what there is."""
        if self._has_set:
            self._ready.set()
        self._doubt(why)

    def restart_after_fork(self) -> None:
        """In a child: a feed and a recorder of its own, no lock of the parent's."""
        self._handlers.renew_lock()
        self._ready = threading.Event()
        if self._has_set:
            self._ready.set()
        # The fork may have come between the two assignments of a swap.
        self._answers = self._flag_set.answers
        self._start()

    def _start(self) -> None:
        if self._recorder is not None:
            self._guard("starting the recorder", self._recorder.start)
        try:
            self._feed.start(self)
        except Exception as error:  # noqa: BLE001 - flags are answered from what there is
            self._complaints.about("starting the feed", error)
            self.lose(f"the feed cannot be started: {type(error).__name__}")

    def _remember(self, age_seconds: float | None) -> None:
        if age_seconds is not None:
            self._vouched_at = self._monotonic() - age_seconds
        self._doubt("last known values: the place was not heard of yet")

    def _doubt(self, why: str) -> None:
        state = self._without_place()
        if self._closed or (state, why) == (self._state, self._why):
            return
        self._state, self._why = state, why
        self._tell(EventKind.STALE if self._has_set else EventKind.ERROR, why=why)

    def _retry(self, snapshot: Snapshot) -> None:
        if self._monotonic() >= self._again_at:
            self.replace(snapshot)
        else:
            self._lose_refused(snapshot)

    def _lose_refused(self, snapshot: Snapshot) -> None:
        self.lose(f"version {snapshot.version} cannot be compiled")

    def _without_place(self) -> State:
        return State.STALE if self._has_set else State.ERROR

    def _tell(self, kind: EventKind, *, keys: tuple[str, ...] = (), why: str = "") -> None:
        self._handlers.tell(Event(kind, self._flag_set.snapshot.version, keys, why))

    def _guard(self, what: str, effect: Callable[[], object]) -> None:
        try:
            effect()
        except Exception as error:  # noqa: BLE001 - flags are answered without it
            self._complaints.about(what, error)


def _changed_keys(before: FlagSet, after: FlagSet) -> tuple[str, ...]:
    """The flags that were compiled anew, have come or have gone."""
    return tuple(
        key for key in {**before.compiled, **after.compiled} if before.compiled.get(key) is not after.compiled.get(key)
    )
