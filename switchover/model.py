"""The words of the house as frozen values. No behaviour beyond what a value knows of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

WHOLE = 100  # percent


class Colour(StrEnum):
    """One of the two slots of a service in an environment."""

    BLUE = "blue"
    GREEN = "green"

    @property
    def other(self) -> Colour:
        """The opposite slot."""
        return Colour.GREEN if self is Colour.BLUE else Colour.BLUE


@dataclass(frozen=True, slots=True)
class Artifact:
    """One immutable thing that a release is made of, addressed by content.

    `digest` is `sha256:` and 64 hexadecimal digits over the artifact's bytes; `size_bytes` its length.
    """

    name: str
    version: str
    kind: str
    digest: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Release:
    """A version of one service with its artifact, as the target runs it."""

    service: str
    version: str
    artifact: Artifact
    source_commit: str


@dataclass(frozen=True, slots=True)
class Route:
    """The share of the traffic that each colour gets, in percent. The two always add up to 100."""

    blue_percent: int
    green_percent: int

    def __post_init__(self) -> None:
        """Refuse shares that are not a split of the whole traffic."""
        if self.blue_percent < 0 or self.green_percent < 0 or self.blue_percent + self.green_percent != WHOLE:
            msg = f"a route splits 100 %, got blue {self.blue_percent} and green {self.green_percent}"
            raise ValueError(msg)

    @classmethod
    def giving(cls, colour: Colour, percent: int) -> Route:
        """The route that gives `percent` to `colour` and the rest to the other one."""
        return cls(percent, 100 - percent) if colour is Colour.BLUE else cls(100 - percent, percent)

    def percent(self, colour: Colour) -> int:
        """The share of `colour` in percent."""
        return self.blue_percent if colour is Colour.BLUE else self.green_percent


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a strategy: the share of the new colour, and how long it is watched there."""

    canary_percent: int
    hold_seconds: float


@dataclass(frozen=True, slots=True)
class Container:
    """How a replica runs as a container: the port that it listens on inside, and what it may do.

    `cpus` is how many processors it may use, None: not limited. `capabilities` are the Linux capabilities that it
    keeps; all others are dropped.
    """

    port: int
    cpus: float | None = None
    read_only: bool = True
    capabilities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ConfigCopy:
    """A ConfigMap or Secret as one release saw it: `name` is an immutable copy of `source`, made once."""

    kind: str
    source: str
    name: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a colour of a service is on Kubernetes, without the colour.

    `objects` is canonical JSON: a list of one Deployment and, where the user has them, a HorizontalPodAutoscaler and
    a PodDisruptionBudget. The pods refer to the names of `copies`. `container` is the one whose image is the
    release, `<repository>@<digest>`; `port` is the name or the number of its port that traffic goes to.
    """

    objects: str
    container: str
    repository: str
    port: str
    copies: tuple[ConfigCopy, ...] = ()


@dataclass(frozen=True, slots=True)
class Migrations:
    """Commands that change what releases share, a database above all; an empty one is not there.

    Each runs in the release's own image or folder and may be repeated. `expand` runs before the release starts
    and suits the release that is live; `contract` runs after the colour before was stopped; `down` takes both back.
    `irreversible`: what `contract` does cannot be taken back.
    """

    expand: tuple[str, ...] = ()
    contract: tuple[str, ...] = ()
    down: tuple[str, ...] = ()
    irreversible: bool = False
    timeout_seconds: float = 600.0


@dataclass(frozen=True, slots=True)
class Workload:
    """How one colour of a service runs. Kept in the ledger, so that a rollback needs nothing else.

    `command` is started once per replica in the unpacked artifact, with `PORT` (and the other variables of
    `environment`) set; with a `container` the artifact is an image, which says itself what to start.
    `secret_variables` names variables that are handed through from the operator's own environment and never
    written down. `log_error_pattern` is a regular expression; a log line that it matches counts as an error.
    `memory_limit_mb` None: not limited. `max_replicas` is the upper bound of an autoscaler, None: there is none.
    With a `manifest` it runs on Kubernetes, and what that says is not said here again.
    """

    command: tuple[str, ...]
    replicas: int
    health_path: str
    environment: dict[str, str] = field(default_factory=dict)
    secret_variables: tuple[str, ...] = ()
    ready_seconds: float = 30.0
    drain_seconds: float = 5.0
    latency_budget_ms: int = 500
    memory_limit_mb: int | None = None
    log_error_pattern: str = r"\b(ERROR|CRITICAL|FATAL)\b"
    container: Container | None = None
    manifest: Manifest | None = None
    max_replicas: int | None = None
    migrations: Migrations = field(default_factory=Migrations)


class MigrationStep(StrEnum):
    """The three commands of `Migrations`."""

    EXPAND = "expand"
    CONTRACT = "contract"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Migration:
    """One command to run: a step of what this release declares, with the release's own image or folder."""

    step: MigrationStep
    release: Release
    workload: Workload

    @property
    def command(self) -> tuple[str, ...]:
        """What is run."""
        declared = self.workload.migrations
        return {
            MigrationStep.EXPAND: declared.expand,
            MigrationStep.CONTRACT: declared.contract,
            MigrationStep.DOWN: declared.down,
        }[self.step]


@dataclass(frozen=True, slots=True)
class SmokeTest:
    """One HTTP check of an idle colour. `body_contains` empty: the body is not looked at."""

    name: str
    path: str
    method: str = "GET"
    body: str = ""
    expect_status: int = 200
    body_contains: str = ""
    within_ms: int = 2000


@dataclass(frozen=True, slots=True)
class JudgeSettings:
    """What the judge is asked to guard. Probabilities and rates are fractions, times are seconds.

    `alpha` is the chance of a false alarm over a whole rollout however often one looks; it is split over
    the metrics. `margin` is how much worse than live the canary may be, relatively. `max_error_rate` and
    `max_slow_rate` are absolute objectives. `pass_error_rate` and `pass_slow_rate` are what the canary must
    provably stay under to be called healthy. `no_data_seconds` is how long no data is held before it fails.
    `counts_traffic` False: nobody counts requests, and only the fixed rules can speak.
    """

    alpha: float = 0.01
    margin: float = 0.0
    max_error_rate: float = 0.01
    max_slow_rate: float = 0.05
    pass_error_rate: float = 0.05
    pass_slow_rate: float = 0.10
    min_requests: int = 20
    no_data_seconds: float = 60.0
    warm_up_seconds: float = 0.0
    probe_failures: int = 3
    log_errors_per_100_lines: float = 10.0
    restarts: int = 3
    restart_window_seconds: float = 300.0
    counts_traffic: bool = True


# --- what was observed -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tally:
    """Requests of one colour between two looks. `slow` counts answers over the latency budget."""

    requests: int = 0
    errors: int = 0
    slow: int = 0

    def __add__(self, more: Tally) -> Tally:
        """Both intervals together."""
        return Tally(self.requests + more.requests, self.errors + more.errors, self.slow + more.slow)

    def since(self, earlier: Tally) -> Tally:
        """This cumulative count less an earlier one; a counter that went back (a restart) counts from zero."""
        if self.requests < earlier.requests:
            return self
        return Tally(
            self.requests - earlier.requests,
            max(0, self.errors - earlier.errors),
            max(0, self.slow - earlier.slow),
        )


Tallies = Mapping[str, Tally]
"""Cumulative counts of one colour by counting source."""


def count_since(now: Tallies, earlier: Tallies) -> Tally:
    """What all sources counted since `earlier`; one that is gone counts not at all.

    A source that is not in `earlier` counts from zero: give those that were not known then with what they said first.
    """
    return sum((tally.since(earlier.get(source, Tally())) for source, tally in now.items()), Tally())


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """One HTTP probe. `status` is None when no answer came, `detail` then says why."""

    name: str
    passed: bool
    status: int | None
    seconds: float
    detail: str


@dataclass(frozen=True, slots=True)
class SlotStatus:
    """What the target says of one colour. Times are seconds of the epoch; `throttled` None: not observable.

    `failing_replicas` were ready and are not any more, though nobody ends them; None: the target cannot tell them from
    those that start or end. `blocked` says why it cannot become ready without a change (an image that does not
    exist, no room), empty: it still may. `version` is what runs there by the target's own word, empty: it does not say.
    """

    wanted_replicas: int
    ready_replicas: int
    failed_replicas: int = 0
    restart_times: tuple[float, ...] = ()
    out_of_memory: bool = False
    throttled: bool | None = None
    addresses: tuple[str, ...] = ()
    detail: str = ""
    blocked: str = ""
    version: str = ""
    failing_replicas: int | None = None

    @property
    def ready(self) -> bool:
        """Whether every wanted replica answers."""
        return self.wanted_replicas > 0 and self.ready_replicas >= self.wanted_replicas

    @property
    def fails_probes(self) -> bool:
        """Whether a replica that had been ready fails its health probe: a new or an evicted one does not."""
        failing = self.wanted_replicas - self.ready_replicas if self.failing_replicas is None else self.failing_replicas
        return failing > 0 or self.ready_replicas == 0


@dataclass(frozen=True, slots=True)
class Observation:
    """One look at both colours: increments since the look before, and the state at `at` (epoch seconds).

    `probe_failures` is the number of consecutive failed health probes of the canary up to now;
    `log_lines` and `log_errors` count the canary's log since the look before.
    """

    at: float
    canary: Tally
    live: Tally
    probe_failures: int = 0
    restart_times: tuple[float, ...] = ()
    log_lines: int = 0
    log_errors: int = 0
    out_of_memory: bool = False
    throttled: bool | None = None
    failed_smoke_tests: tuple[str, ...] = ()


# --- what was judged ---------------------------------------------------------------------------------


class Standing(StrEnum):
    """The three answers of the judge."""

    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    NO_DATA = "no data"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a verdict is what it is: the rule that spoke, and a sentence with the numbers it saw."""

    rule: str
    message: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judge's answer, always with at least one reason."""

    standing: Standing
    reasons: tuple[Reason, ...]

    def __str__(self) -> str:
        """Standing and reasons in one line."""
        return f"{self.standing}: " + "; ".join(reason.message for reason in self.reasons)


# --- what was planned and recorded -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a deployment must not begin: the object and the field, what is there, and what to change."""

    place: str
    expected: str
    found: str
    fix: str

    def __str__(self) -> str:
        """All of it in one line."""
        return f"{self.place}: expected {self.expected}, found {self.found}; {self.fix}"


@dataclass(frozen=True, slots=True)
class Approval:
    """What a person answered to the question whether a tested release may have users."""

    approved: bool
    by: str
    comment: str
    at: float


class Phase(StrEnum):
    """Where a rollout is. The table of transitions is `decide.rollout.TRANSITIONS`."""

    PREPARING = "preparing"
    MIGRATING = "migrating"
    STARTING = "starting"
    TESTING = "testing"
    APPROVING = "approving"
    SHIFTING = "shifting"
    BAKING = "baking"
    FINALIZING = "finalizing"
    RETREATING = "retreating"
    LIVE = "live"
    ROLLED_BACK = "rolled back"


@dataclass(frozen=True, slots=True)
class Rollout:
    """One attempt to bring a release live, as the ledger keeps it.

    `old_colour` is None when the service has nothing live yet. `canary_percent` is the share of the new
    colour that was *intended* last; it is written before the route changes. `verdict` is the judge's last word.
    `migrations` run before anything is started. `approval` is None as long as nobody was asked or has answered.
    `contracting`: the contract migration was begun, and may have done its work.
    """

    id: str
    service: str
    release: Release
    workload: Workload
    new_colour: Colour
    old_colour: Colour | None
    old_version: str | None
    strategy: str
    steps: tuple[Step, ...]
    phase: Phase
    canary_percent: int
    epoch: int
    started_at: float
    changed_at: float
    reasons: tuple[Reason, ...] = ()
    flow_run_id: str | None = None
    verdict: Verdict | None = None
    migrations: tuple[Migration, ...] = ()
    approval: Approval | None = None
    contracting: bool = False


@dataclass(frozen=True, slots=True)
class Slot:
    """What the ledger believes runs in one colour; both None means that the slot is empty."""

    release: Release | None = None
    workload: Workload | None = None


@dataclass(frozen=True, slots=True)
class ServiceRecord:
    """The durable truth about one service in one environment."""

    live: Colour | None = None
    blue: Slot = field(default_factory=Slot)
    green: Slot = field(default_factory=Slot)
    route: Route | None = None
    rollout: Rollout | None = None

    def slot(self, colour: Colour) -> Slot:
        """The slot of `colour`."""
        return self.blue if colour is Colour.BLUE else self.green


@dataclass(frozen=True, slots=True)
class Lease:
    """Who may change the environment, until when (epoch seconds), and with which fencing epoch."""

    holder: str
    epoch: int
    expires_at: float


@dataclass(frozen=True, slots=True)
class EnvironmentRecord:
    """The ledger's one document, replaced by compare-and-swap on `revision`."""

    environment: str
    revision: int = 0
    epoch: int = 0
    lease: Lease | None = None
    services: dict[str, ServiceRecord] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """A finished rollout or rollback, with its outcome and the reasons."""

    id: str
    service: str
    kind: str
    from_version: str | None
    to_version: str | None
    release: Release | None
    workload: Workload | None
    strategy: str
    outcome: str
    reasons: tuple[Reason, ...]
    started_at: float
    ended_at: float
    epoch: int
