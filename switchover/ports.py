"""What the operations ask of the world: small protocols, one vendor per file in `adapters/`.

Verbs set absolute state, so repeating a call is safe. Every effect on a target carries the caller's fencing
`epoch`: the adapter refuses it with `FencedError` once the ledger has seen a higher one, and makes check and
effect one step (docs/decisions/0003).
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from switchover.model import (
    Artifact,
    Colour,
    EnvironmentRecord,
    HistoryEntry,
    Migration,
    Obstacle,
    ProbeResult,
    Release,
    Route,
    SlotStatus,
    SmokeTest,
    Step,
    Tallies,
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

    def hold_size(self, service: str, colour: Colour, *, epoch: int) -> None:
        """Keep an autoscaler from making `colour` smaller than it is now: it may have to take all traffic at once."""

    def free_size(self, service: str, colour: Colour, workload: Workload | None, *, epoch: int) -> None:
        """Let the autoscaler of `colour` choose again within the bounds of `workload`; None: as before it was held."""

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

    def confirm_route(self, service: str, route: Route) -> Mapping[Colour, int]:
        """Send tagged probes through the data plane; raise `TargetError` unless they show this split.

        That is an `UnseenError` when no probe comes through, and so none contradicts. Returns how many of them each
        colour has answered that `Signals` cannot tell from a user's requests.
        """

    def read_active_requests(self, service: str, colour: Colour) -> int:
        """Requests in flight to `colour`."""


class Signals(Protocol):
    """Counts of real requests."""

    def read_tallies(self, service: str) -> dict[Colour, Tallies]:
        """Cumulative counts per colour and counting source, without the project's own probes.

        Slow: over the latency budget. A source is one process that counts (a router's replica, say), by the same name
        at both colours: each may start again from zero, come and go. One that appears may bring what it counted long
        ago.
        """


class Preflight(Protocol):
    """What is looked up, checked and kept before anything changes."""

    def complete(self, service: str, workload: Workload) -> Workload:
        """The workload with what only the target and the files of the project know: manifests, copies, bounds.

        Raises `InputError` for what is wrong with them.
        """

    def find_obstacles(
        self, release: Release, workload: Workload, colour: Colour, steps: tuple[Step, ...]
    ) -> tuple[Obstacle, ...]:
        """Everything that would keep this release from coming live in `colour`. Changes nothing."""

    def back_up(self, service: str, rollout_id: str, *, epoch: int) -> None:
        """Keep what is live as it is now, for people. Repeating it for the same rollout is a no-op."""


class Migrator(Protocol):
    """Runs one migration to its end."""

    def migrate(self, migration: Migration, attempt: str, *, epoch: int) -> None:
        """Run it once for this `attempt` (a rollout's id); one that has succeeded is not run again.

        Raises `UnhealthyError` with the end of its log when it fails or takes too long.
        """

    def end_migrations(self, service: str, *, epoch: int) -> None:
        """Let none of the service's migrations run on, one whose deployer is gone, say."""


class Prober(Protocol):
    """Asks a colour directly, past the router."""

    def probe(self, address: str, test: SmokeTest) -> ProbeResult:
        """Run one check against `host:port`. Never raises for what the service does wrong."""


class Releases(Protocol):
    """What was released."""

    def find(self, service: str, version: str) -> Release | None:
        """The published release, or None."""

    def list_releases(self, service: str) -> tuple[Release, ...]:
        """All published releases of a service, newest version first."""

    def check(self, release: Release) -> None:
        """Raise `TargetError` unless what the release is made of is there, with its digest."""


class ArtifactStore(Releases, Protocol):
    """Released bytes, by digest, and the index of releases."""

    def put(self, name: str, version: str, kind: str, source: Path) -> Artifact:
        """Store a file. The same bytes again are a no-op.

        Raises `InputError` for the same name and version with other bytes, with both digests.
        """

    def fetch(self, digest: str) -> Path:
        """The file with this digest, checked; `TargetError` when it is missing or its bytes are not these."""

    def publish(self, release: Release) -> None:
        """Enter a release into the index, last of all. Repeating is a no-op; a change is refused."""


class Notifier(Protocol):
    """Tells people."""

    def tell(self, environment: str, entry: HistoryEntry) -> None:
        """Tell about an ended rollout. A failure to send is logged, never raised: it must not stop a rollback."""
