"""What the operations ask of the world: small protocols, one vendor per file in `adapters/`.

Verbs set absolute state, so repeating a call is safe. Every effect on a target carries the caller's fencing
`epoch`: the adapter refuses it with `FencedError` once the ledger has seen a higher one, and makes check and
effect one step (docs/decisions/0003).
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from switchover.model import (
    Artifact,
    Colour,
    EnvironmentRecord,
    HistoryEntry,
    ProbeResult,
    Release,
    Route,
    SlotStatus,
    SmokeTest,
    Tally,
    Workload,
)


class Clock(Protocol):
    """Time as an argument, so that a test can own it."""

    def now(self) -> float:
        """Seconds of the epoch."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class Ledger(Protocol):
    """The durable record of one environment. It lives with the target."""

    def read(self) -> EnvironmentRecord:
        """The document as it is now; an environment never written to reads as revision 0.

        Raises `LedgerUnreadableError` when it is broken or written by a newer version.
        """

    def write(self, record: EnvironmentRecord) -> EnvironmentRecord:
        """Replace the document if its revision is still `record.revision`; return it with the next revision.

        Raises `LedgerConflictError` when somebody else was faster, `TargetError` when the disk is full.
        """

    def append_history(self, entry: HistoryEntry) -> None:
        """Keep a finished rollout. An entry with a known id is replaced, so repeating is safe."""

    def read_history(self, service: str | None = None, limit: int = 50) -> tuple[HistoryEntry, ...]:
        """Newest first, for one service or for all."""


class Fence(Protocol):
    """Makes 'is my epoch still the highest?' and the effect after it one step."""

    def holding(self, epoch: int) -> AbstractContextManager[None]:
        """Enter only while `epoch` is the ledger's; raise `FencedError` otherwise."""


class Slots(Protocol):
    """The two colours of every service on one target."""

    def start(self, release: Release, colour: Colour, workload: Workload, *, epoch: int) -> None:
        """Let `colour` run this release at the workload's size and nothing else. Does not wait.

        Addresses become known to the router at once; only its health checks and weights decide about traffic.
        """

    def stop(self, service: str, colour: Colour, *, epoch: int) -> None:
        """Let nothing run in `colour`: each replica gets SIGTERM and time to finish, then SIGKILL."""

    def read_status(self, service: str, colour: Colour) -> SlotStatus:
        """What runs there now; an empty slot has zero wanted replicas."""

    def read_log_counts(self, service: str, colour: Colour) -> tuple[int, int]:
        """Lines and error lines that this colour has logged since it was started."""

    def read_log_tail(self, service: str, colour: Colour, lines: int) -> tuple[str, ...]:
        """The last lines of its log, for the message of a failure."""


class Router(Protocol):
    """Splits the traffic of a service between its colours. Both are always in the route."""

    def set_route(self, service: str, route: Route, *, epoch: int) -> None:
        """Apply `route` and return when the control plane has accepted that very generation.

        Raises `TargetError` when it was rejected or not accepted in time.
        """

    def read_route(self, service: str) -> Route | None:
        """The split that the router applies now, by its own word; None when it knows no such service."""

    def confirm_route(self, service: str, route: Route) -> None:
        """Send tagged probes through the data plane; raise `TargetError` unless they show this split."""

    def read_active_requests(self, service: str, colour: Colour) -> int:
        """Requests in flight to `colour`."""


class Signals(Protocol):
    """Counts of real requests."""

    def read_tallies(self, service: str) -> dict[Colour, Tally]:
        """Cumulative counts per colour, without the project's own probes. Slow: over the latency budget."""


class Prober(Protocol):
    """Asks a colour directly, past the router."""

    def probe(self, address: str, test: SmokeTest) -> ProbeResult:
        """Run one check against `host:port`. Never raises for what the service does wrong."""


class ArtifactStore(Protocol):
    """Released bytes, by digest, and the index of releases."""

    def put(self, name: str, version: str, kind: str, source: Path) -> Artifact:
        """Store a file. The same bytes again are a no-op.

        Raises `InputError` for the same name and version with other bytes, with both digests.
        """

    def fetch(self, digest: str) -> Path:
        """The file with this digest, checked; `TargetError` when it is missing or its bytes are not these."""

    def publish(self, release: Release) -> None:
        """Enter a release into the index, last of all. Repeating is a no-op; a change is refused."""

    def find(self, service: str, version: str) -> Release | None:
        """The published release, or None."""

    def list_releases(self, service: str) -> tuple[Release, ...]:
        """All published releases of a service, newest version first."""


class Notifier(Protocol):
    """Tells people."""

    def tell(self, environment: str, entry: HistoryEntry) -> None:
        """Tell about an ended rollout. A failure to send is logged, never raised: it must not stop a rollback."""
