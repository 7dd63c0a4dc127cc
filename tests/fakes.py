"""In-memory stand-ins for the ports, held to the contract suites in `tests/contracts`.

They are deterministic: time only passes by `FakeClock.sleep`, and what is observed is what the test has scripted.
Every effect that takes place is appended to the shared list `effects`, in words: `"start green 1.1.0"`,
`"route shop 10"` (percent of green), `"stop blue"`.
"""

from __future__ import annotations

import hashlib
import shutil
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from semver import Version

from switchover.errors import FencedError, InputError, TargetError
from switchover.model import (
    Artifact,
    Colour,
    Manifest,
    Migration,
    Obstacle,
    ProbeResult,
    Release,
    Route,
    SlotStatus,
    SmokeTest,
    Step,
    Tallies,
    Tally,
    Workload,
)

Place = tuple[str, Colour]


class FakeClock:
    """Time that passes only by sleeping. `on_sleep` is called after every sleep with the new time."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.time = now
        self.on_sleep: Callable[[float], None] = lambda _now: None

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0, "nobody can sleep backwards"
        self.time += seconds
        self.on_sleep(self.time)


class FakeFence:
    """Lets `epoch` in, and nobody else. A test sets `epoch` to take the environment over."""

    def __init__(self, epoch: int = 1) -> None:
        self.epoch = epoch
        self.inside = False

    @contextmanager
    def holding(self, epoch: int) -> Iterator[None]:
        if epoch != self.epoch:
            failed = "this rollout no longer owns the environment"
            raise FencedError(failed, expected=str(epoch), found=str(self.epoch), next_step="nothing")
        assert not self.inside, "the fence is not re-entrant"
        self.inside = True
        try:
            yield
        finally:
            self.inside = False


class Failures:
    """Errors that the next calls raise, by name of the method, before they have any effect."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[Exception]] = defaultdict(deque)

    def add(self, method: str, *errors: Exception) -> None:
        self._waiting[method].extend(errors)

    def raise_next(self, method: str) -> None:
        if self._waiting[method]:
            raise self._waiting[method].popleft()


def unknown(service: str) -> InputError:
    failed = f"the environment knows no service {service!r}"
    return InputError(failed, expected="a service with a listener", found="none", next_step="correct the name")


class FakeSlots:
    """Slots that run at once. `script_status` says what the next reads see; the last of them stays."""

    def __init__(self, services: tuple[str, ...], fence: FakeFence, effects: list[str]) -> None:
        self.failures = Failures()
        self.running: dict[Place, tuple[Release, Workload]] = {}
        self.log: dict[Place, list[str]] = defaultdict(list)
        self.held: set[Place] = set()
        self._services = services
        self._fence = fence
        self._effects = effects
        self._scripts: dict[Place, deque[SlotStatus]] = {}

    def script_status(self, service: str, colour: Colour, *statuses: SlotStatus) -> None:
        self._scripts[service, colour] = deque(statuses)

    def start(self, release: Release, colour: Colour, workload: Workload, *, epoch: int) -> None:
        self._require(release.service)
        with self._fence.holding(epoch):
            self.failures.raise_next("start")
            place = (release.service, colour)
            if self.running.get(place) != (release, workload):
                self.running[place] = (release, workload)
                self.log[place] = []
                self._effects.append(f"start {colour} {release.version}")

    def stop(self, service: str, colour: Colour, *, epoch: int) -> None:
        self._require(service)
        with self._fence.holding(epoch):
            self.failures.raise_next("stop")
            self.held.discard((service, colour))
            if self.running.pop((service, colour), None):
                self._scripts.pop((service, colour), None)
                self._effects.append(f"stop {colour}")

    def hold_size(self, service: str, colour: Colour, *, epoch: int) -> None:
        self._require(service)
        with self._fence.holding(epoch):
            self.failures.raise_next("hold_size")
            if (service, colour) in self.running:
                self.held.add((service, colour))

    def free_size(self, service: str, colour: Colour, workload: Workload | None, *, epoch: int) -> None:
        self._require(service)
        with self._fence.holding(epoch):
            self.failures.raise_next("free_size")
            assert workload is None or workload.replicas > 0
            self.held.discard((service, colour))

    def read_status(self, service: str, colour: Colour) -> SlotStatus:
        self._require(service)
        self.failures.raise_next("read_status")
        found = self.running.get((service, colour))
        if found is None:
            return SlotStatus(0, 0)
        wanted = found[1].replicas
        addresses = tuple(f"{service}-{colour}:{number + 1}" for number in range(wanted))
        script = self._scripts.get((service, colour))
        if script:
            scripted = script.popleft() if len(script) > 1 else script[0]
            return replace(scripted, addresses=scripted.addresses or addresses)
        return SlotStatus(wanted, wanted, addresses=addresses)

    def read_log_counts(self, service: str, colour: Colour) -> tuple[int, int]:
        self._require(service)
        if (service, colour) not in self.running:
            return 0, 0
        lines = self.log[service, colour]
        return len(lines), sum("ERROR" in line for line in lines)

    def read_log_tail(self, service: str, colour: Colour, lines: int) -> tuple[str, ...]:
        self._require(service)
        return tuple(self.log[service, colour][-lines:])

    def _require(self, service: str) -> None:
        if service not in self._services:
            raise unknown(service)


class FakeRouter:
    """A router that obeys at once. `shows` overrides the split that probes see, per service."""

    def __init__(self, services: tuple[str, ...], fence: FakeFence, effects: list[str]) -> None:
        self.failures = Failures()
        self.routes = {service: Route(100, 0) for service in services}
        self.shows: dict[str, Route] = {}
        self.counted_probes: dict[Colour, int] = {}
        self.active: dict[Place, int] = defaultdict(int)
        self._fence = fence
        self._effects = effects

    def set_route(self, service: str, route: Route, *, epoch: int) -> None:
        self._require(service)
        with self._fence.holding(epoch):
            self.failures.raise_next("set_route")
            self.routes[service] = route
            self._effects.append(f"route {service} {route.green_percent}")

    def read_route(self, service: str) -> Route | None:
        self.failures.raise_next("read_route")
        return self.routes.get(service)

    def confirm_route(self, service: str, route: Route) -> dict[Colour, int]:
        self._require(service)
        self.failures.raise_next("confirm_route")
        shown = self.shows.get(service, self.routes[service])
        if shown != route:
            failed = f"the traffic of {service} does not follow its route"
            raise TargetError(failed, expected=str(route), found=str(shown), next_step="repeat")
        return dict(self.counted_probes)

    def read_active_requests(self, service: str, colour: Colour) -> int:
        return self.active[service, colour]

    def _require(self, service: str) -> None:
        if service not in self.routes:
            raise unknown(service)


class FakeSignals:
    """Counts that a test adds to, or scripts: every read takes the next increment of each colour.

    One source counts, `router`; a test may add another one, restart it (`forget`) or let it go (`lose`).
    """

    def __init__(self) -> None:
        self.failures = Failures()
        self._totals: dict[Place, dict[str, Tally]] = defaultdict(dict)
        self._sources = {"router"}
        self._scripts: dict[Place, deque[Tally]] = defaultdict(deque)

    def add(self, service: str, colour: Colour, increment: Tally, source: str = "router") -> None:
        self._sources.add(source)
        totals = self._totals[service, colour]
        totals[source] = totals.get(source, Tally()) + increment

    def script(self, service: str, colour: Colour, *increments: Tally) -> None:
        self._scripts[service, colour].extend(increments)

    def forget(self, service: str, source: str = "router") -> None:
        """Begin at zero again, as a router does that was restarted."""
        for colour in Colour:
            self._totals[service, colour].pop(source, None)

    def lose(self, source: str) -> None:
        """Say nothing of what this source has counted until it counts again: nobody hears of it."""
        self._sources.discard(source)

    def read_tallies(self, service: str) -> dict[Colour, Tallies]:
        self.failures.raise_next("read_tallies")
        for colour in Colour:
            script = self._scripts[service, colour]
            if script:
                self.add(service, colour, script.popleft())
        return {
            colour: {source: self._totals[service, colour].get(source, Tally()) for source in self._sources}
            for colour in Colour
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """What a fake address says: None means nothing, until the prober gives up."""

    status: int | None = 200
    body: str = ""
    seconds: float = 0.001


class FakeProber:
    """`everywhere` is the answer of addresses that were not given one; None: nobody listens there."""

    def __init__(self, everywhere: Answer | None = None) -> None:
        self.everywhere = everywhere
        self.answers: dict[tuple[str, str], deque[Answer]] = {}
        self.probed: list[tuple[str, str]] = []

    def script(self, address: str, path: str, *answers: Answer) -> None:
        """Let `path` at `address` answer so, one after the other; the last one stays."""
        self.answers[address, path] = deque(answers)

    def probe(self, address: str, test: SmokeTest) -> ProbeResult:
        self.probed.append((address, test.name))
        script = self.answers.get((address, test.path))
        answer = self.everywhere if script is None else (script.popleft() if len(script) > 1 else script[0])
        if answer is None or answer.status is None:
            return ProbeResult(test.name, passed=False, status=None, seconds=0.0, detail="no answer")
        trouble = ""
        if answer.status != test.expect_status:
            trouble = f"status {answer.status} instead of {test.expect_status}"
        elif test.body_contains not in answer.body:
            trouble = f"the body does not contain {test.body_contains!r}"
        elif answer.seconds * 1000 > test.within_ms:
            return ProbeResult(test.name, passed=False, status=None, seconds=answer.seconds, detail="too late")
        return ProbeResult(test.name, not trouble, answer.status, answer.seconds, trouble or "as expected")


class FakePreflight:
    """Completes with `manifest`, finds the `obstacles` that a test puts in its way, and remembers what it backed up."""

    def __init__(self) -> None:
        self.obstacles: tuple[Obstacle, ...] = ()
        self.manifest: Manifest | None = None
        self.backed_up: list[tuple[str, str]] = []

    def complete(self, service: str, workload: Workload) -> Workload:
        assert service
        return replace(workload, manifest=self.manifest)

    def find_obstacles(
        self, release: Release, workload: Workload, colour: Colour, steps: tuple[Step, ...]
    ) -> tuple[Obstacle, ...]:
        assert release.service
        assert workload.replicas
        assert colour in Colour
        assert steps
        return self.obstacles

    def back_up(self, service: str, rollout_id: str, *, epoch: int) -> None:
        assert epoch > 0
        if (service, rollout_id) not in self.backed_up:
            self.backed_up.append((service, rollout_id))


class FakeMigrator:
    """Every migration succeeds, unless a failure waits. Effects: `"expand 1.1.0"`."""

    def __init__(self, fence: FakeFence, effects: list[str]) -> None:
        self.failures = Failures()
        self._fence = fence
        self._effects = effects
        self._done: set[tuple[str, str, str]] = set()

    def migrate(self, migration: Migration, attempt: str, *, epoch: int) -> None:
        assert migration.command, "an empty migration is not there"
        with self._fence.holding(epoch):
            self.failures.raise_next(str(migration.step))
            key = (attempt, str(migration.step), migration.release.version)
            if key not in self._done:
                self._done.add(key)
                self._effects.append(f"{migration.step} {migration.release.version}")

    def end_migrations(self, service: str, *, epoch: int) -> None:
        assert service
        with self._fence.holding(epoch):
            self.failures.raise_next("end_migrations")


class InMemoryArtifactStore:
    """Artifacts in a folder of the test, the index in memory."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._artifacts: dict[tuple[str, str, str], Artifact] = {}
        self._releases: dict[tuple[str, str], Release] = {}

    def put(self, name: str, version: str, kind: str, source: Path) -> Artifact:
        content = source.read_bytes()
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        artifact = Artifact(name, version, kind, digest, len(content))
        present = self._artifacts.setdefault((name, version, kind), artifact)
        if present != artifact:
            failed = f"{name} {version} ({kind}) is stored already"
            raise InputError(failed, expected=present.digest, found=digest, next_step="choose another version")
        self._folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, self._path(digest))
        return artifact

    def find_artifact(self, name: str, version: str, kind: str) -> Artifact | None:
        return self._artifacts.get((name, version, kind))

    def forget(self, name: str, version: str) -> None:
        if (name, version) not in self._releases:
            self._artifacts = {key: each for key, each in self._artifacts.items() if key[:2] != (name, version)}

    def fetch(self, digest: str) -> Path:
        path = self._path(digest)
        if not path.exists():
            failed = "an artifact cannot be fetched"
            raise TargetError(failed, expected=digest, found="no such bytes", next_step="publish the release again")
        found = f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
        if found != digest:
            failed = "an artifact is damaged"
            raise TargetError(failed, expected=digest, found=found, next_step="publish the release again")
        return path

    def publish(self, release: Release) -> None:
        self.fetch(release.artifact.digest)
        present = self._releases.setdefault((release.service, release.version), release)
        if present != release:
            failed = f"{release.service} {release.version} is already released"
            raise InputError(failed, expected=str(present), found=str(release), next_step="choose another version")

    def check(self, release: Release) -> None:
        self.fetch(release.artifact.digest)

    def find(self, service: str, version: str) -> Release | None:
        return self._releases.get((service, version))

    def list_releases(self, service: str) -> tuple[Release, ...]:
        mine = (release for release in self._releases.values() if release.service == service)
        return tuple(sorted(mine, key=lambda release: Version.parse(release.version), reverse=True))

    def _path(self, digest: str) -> Path:
        return self._folder / digest.rpartition(":")[2]


@dataclass(slots=True)
class FakeTarget:
    """All fakes of one target around one fence and one list of effects."""

    services: tuple[str, ...] = ("shop",)
    fence: FakeFence = field(default_factory=FakeFence)
    effects: list[str] = field(default_factory=list)
    slots: FakeSlots = field(init=False)
    router: FakeRouter = field(init=False)
    signals: FakeSignals = field(default_factory=FakeSignals)
    prober: FakeProber = field(default_factory=lambda: FakeProber(Answer()))
    preflight: FakePreflight = field(default_factory=FakePreflight)
    migrator: FakeMigrator = field(init=False)

    def __post_init__(self) -> None:
        self.slots = FakeSlots(self.services, self.fence, self.effects)
        self.router = FakeRouter(self.services, self.fence, self.effects)
        self.migrator = FakeMigrator(self.fence, self.effects)
