"""A whole environment on fakes, and a deployer that can be killed before or after any of its effects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from switchover.decide.deployment import DeployPlan, plan_expansion
from switchover.decide.rollback import DEPLOY, RollbackPlan
from switchover.errors import LedgerConflictError
from switchover.model import (
    Approval,
    Colour,
    EnvironmentRecord,
    HistoryEntry,
    JudgeSettings,
    Phase,
    Release,
    Route,
    ServiceRecord,
    Step,
    Tally,
    Workload,
)
from switchover.operations.approval import answer_approval
from switchover.operations.environment import EnvironmentPorts
from switchover.operations.lease import Claim, acquire
from switchover.operations.roll_out import roll_out
from switchover.operations.rollback import RollbackRequest, read_plan, roll_back
from tests.builders import WORKLOAD, a_plan
from tests.fakes import FakeClock, FakeFence, FakeTarget

Wrap = Callable[[str, Callable[..., object]], Callable[..., object]]


class Killed(BaseException):
    """The process is gone: nothing of it catches this."""


class InMemoryLedger:
    """Port `Ledger`, held to the same contract suite as the SQLite one."""

    def __init__(self, environment: str = "production") -> None:
        self.record = EnvironmentRecord(environment)
        self.history: dict[str, HistoryEntry] = {}

    def read(self) -> EnvironmentRecord:
        return self.record

    def write(self, record: EnvironmentRecord) -> EnvironmentRecord:
        if record.revision != self.record.revision:
            message = "changed meanwhile"
            raise LedgerConflictError(message, expected="", found="", next_step="")
        self.record = replace(record, revision=record.revision + 1)
        return self.record

    def append_history(self, entry: HistoryEntry) -> None:
        self.history.pop(entry.id, None)
        self.history[entry.id] = entry

    def read_history(self, service: str | None = None, limit: int = 50) -> tuple[HistoryEntry, ...]:
        entries = [entry for entry in self.history.values() if service in (None, entry.service)]
        entries.reverse()  # of two that ended at the same time the later written is the newer
        newest_first = sorted(entries, key=lambda entry: -entry.ended_at)
        return tuple(newest_first[:limit])


class LedgerFence(FakeFence):
    """A fence whose epoch is the ledger's, as the real one's is."""

    def __init__(self, ledger: InMemoryLedger) -> None:
        self._ledger = ledger
        self.inside = False

    @property
    def epoch(self) -> int:  # type: ignore[override]
        return self._ledger.record.epoch


class Told:
    """Port `Notifier` that remembers."""

    def __init__(self) -> None:
        self.outcomes: list[tuple[str | None, str]] = []

    def tell(self, environment: str, entry: HistoryEntry) -> None:
        assert environment == "production"
        self.outcomes.append((entry.to_version, entry.outcome))


@dataclass(slots=True)
class House:
    """One environment with everything behind its ports in memory."""

    ledger: InMemoryLedger = field(default_factory=InMemoryLedger)
    clock: FakeClock = field(default_factory=FakeClock)
    told: Told = field(default_factory=Told)
    workload: Workload = WORKLOAD
    approval_seconds: float | None = None
    target: FakeTarget = field(init=False)

    def __post_init__(self) -> None:
        self.target = FakeTarget(fence=LedgerFence(self.ledger))

    def ports(
        self, wrap: Callable[[str, Callable[..., object]], Callable[..., object]] | None = None
    ) -> EnvironmentPorts:
        """The ports; `wrap` may stand around every effect."""
        ledger, slots, router = self.ledger, self.target.slots, self.target.router
        preflight, migrator = self.target.preflight, self.target.migrator
        if wrap is not None:
            ledger = Wrapped(ledger, {"write", "append_history"}, wrap)  # type: ignore[assignment]
            slots = Wrapped(slots, {"start", "stop", "hold_size", "free_size"}, wrap)  # type: ignore[assignment]
            preflight = Wrapped(preflight, {"back_up"}, wrap)  # type: ignore[assignment]
            migrator = Wrapped(migrator, {"migrate"}, wrap)  # type: ignore[assignment]
            router = Wrapped(router, {"set_route"}, wrap)  # type: ignore[assignment]
        return EnvironmentPorts(
            name="production",
            ledger=ledger,
            slots=slots,
            router=router,
            signals=self.target.signals,
            prober=self.target.prober,
            preflight=preflight,
            migrator=migrator,
            releases=None,  # type: ignore[arg-type]  # nothing in a rollout asks for it
            notifier=self.told,
            clock=self.clock,
        )

    def serve_traffic(self, *, new_errors: int = 0) -> None:
        """Every second 90 requests to blue and 90 to green; green answers `new_errors` of them with 5xx."""

        def second(_now: float) -> None:
            self.target.signals.add("shop", Colour.BLUE, Tally(90, 0, 0))
            self.target.signals.add("shop", Colour.GREEN, Tally(90, new_errors, 0))

        self.clock.on_sleep = second

    def plan(self, version: str) -> DeployPlan:
        plan = a_plan(self.ledger.record, version)
        return replace(
            plan,
            workload=self.workload,
            migrations=plan_expansion(plan.release, self.workload),
            approval_seconds=self.approval_seconds if self.service.live else None,
            steps=(Step(10, 3.0), Step(50, 3.0), Step(100, 0.0)) if self.service.live else (Step(100, 0.0),),
            bake_seconds=2.0 if self.service.live else 0.0,
            judge=JudgeSettings(),
        )

    def deploy(self, version: str, ports: EnvironmentPorts | None = None, run: str | None = None) -> HistoryEntry:
        ports = ports or self.ports()
        plan = self.plan(version)
        claim: Claim = acquire(ports, f"deploy of {version}", plan.lease_seconds)
        return roll_out(ports, claim, plan, rollout_id=run or f"run-{version}", kind=DEPLOY, flow_run_id=run)

    def answer(self, approval: Approval) -> None:
        """A person answers as soon as somebody waits for it."""
        before = self.clock.on_sleep

        def answering(now: float) -> None:
            before(now)
            rollout = self.service.rollout
            if rollout is not None and rollout.phase is Phase.APPROVING:
                answer_approval(self.ports(), "shop", approval)

        self.clock.on_sleep = answering

    def let_the_lease_expire(self) -> None:
        self.clock.time += 60

    @property
    def service(self) -> ServiceRecord:
        return self.ledger.record.services.get("shop", ServiceRecord())

    def running(self) -> dict[Colour, tuple[Release, Workload]]:
        return {colour: running for (_, colour), running in self.target.slots.running.items()}

    def assert_one_healthy_colour(self, *versions: str) -> None:
        """Exactly one colour is live, has all the traffic and runs; the other one is empty; nobody holds a lease."""
        service = self.service
        assert service.rollout is None
        assert service.live is not None
        assert service.route == Route.giving(service.live, 100)
        assert self.target.router.routes["shop"] == service.route
        assert set(self.running()) == {service.live}
        release, workload = self.running()[service.live]
        assert (release, workload) == (service.slot(service.live).release, service.slot(service.live).workload)
        assert service.slot(service.live.other).release is None
        assert release.version in versions
        assert not self.target.slots.held, "both sizes are free again"
        assert self.ledger.record.lease is None


def bring_back(ports: EnvironmentPorts, request: RollbackRequest) -> tuple[RollbackPlan, HistoryEntry | None]:
    """What a person does who acts on the plan at once."""
    return roll_back(ports, request, read_plan(ports, request.service, request.version))


class Wrapped:
    """An adapter whose effects go through `wrap`; everything else is handed on."""

    def __init__(self, inner: object, effects: set[str], wrap: Wrap) -> None:
        self._inner = inner
        self._effects = effects
        self._wrap = wrap

    def __getattr__(self, name: str) -> object:
        attribute = getattr(self._inner, name)
        return self._wrap(f"{type(self._inner).__name__}.{name}", attribute) if name in self._effects else attribute


class Bomb:
    """Kills at the `number`-th effect (from 0), before or after it has happened; None never."""

    def __init__(self, number: int | None, *, after: bool = False) -> None:
        self.seen: list[str] = []
        self._number = number
        self._after = after

    def __call__(self, name: str, effect: Callable[..., object]) -> Callable[..., object]:
        def guarded(*args: object, **kwargs: object) -> object:
            mine = len(self.seen) == self._number
            self.seen.append(name)
            if mine and not self._after:
                raise Killed(name)
            result = effect(*args, **kwargs)
            if mine:
                raise Killed(name)
            return result

        return guarded
