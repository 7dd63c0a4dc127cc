"""Raising a flag in steps, watched by the judge of deployments, and going back by itself.

Every step is one compare-and-swap with an entry in the audit trail that says which run made it and where it began:
whoever comes next can take it back from the trail alone. Who changes the flag by hand meanwhile takes it over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from switchover.decide.evidence import MetricEvidence
from switchover.errors import BusyError, InputError, LedgerConflictError, UnhealthyError
from switchover.flags.additions import is_killed
from switchover.flags.change_refusals import on_variant
from switchover.flags.changes import set_percentage
from switchover.flags.ports import FlagStore
from switchover.flags.records import ErrorWatch, ExperimentKeeper
from switchover.flags.rollout_trail import (
    TAKEN_BACK,
    FlagRollout,
    find_steps,
    go_back,
    is_last,
    plan_flag_steps,
    read_share,
    require_flag,
)
from switchover.flags.snapshot import Change, Edits, Note, Snapshot
from switchover.flags.split_trail import find_trusted_start
from switchover.flags.splits import find_split
from switchover.flags.variant_errors import add_errors, count_fresh, judge_variants
from switchover.model import JudgeSettings, Observation, Phase, Rollout, Standing, Verdict
from switchover.operations.environment import EnvironmentPorts
from switchover.operations.flag_changes import change_set
from switchover.operations.flag_owner import require_ours, require_still_ours
from switchover.operations.patience import Patience
from switchover.operations.watch import Watch, look, open_watch

ERROR_EVENT = "error"
LOOK_SECONDS = 1.0
_STRATEGY = "flag"

Report = Callable[[Observation, Verdict], None]


@dataclass(frozen=True, slots=True)
class FlagSight:
    """What is carried from look to look: the signals of the live colour, and the errors of the flag's variants.

    `before` are the units with an error at the last look, by variant, None: nobody counts them yet; `share` is the part
    of all units that is given the watched one, 0 to 1, and 0 where it is not chance that decides.
    """

    seen: Rollout
    watch: Watch
    errors: MetricEvidence = field(default_factory=MetricEvidence)
    before: Mapping[str, int] | None = None
    share: float = 0.0


def plan_flag_rollout(
    store: FlagStore, flag: str, steps: tuple[float, ...], *, variant: str | None, run: str, who: str, why: str
) -> tuple[FlagRollout, tuple[float, ...]]:
    """The rollout and the steps that it still has to make; a run that is repeated begins where it began first.

    Raises `InputError` for an unknown flag, an unfit rule or unfit steps, and for a flag that is killed or disabled.
    """
    snapshot = store.read()
    definition = require_flag(snapshot, flag)
    if is_killed(definition) or definition.get("state") == "DISABLED":
        raise InputError(
            f"{flag} cannot be rolled out",
            expected="a flag that is enabled",
            found="it is killed" if is_killed(definition) else "it is disabled",
            next_step=f"`switchover flags {'revive' if is_killed(definition) else 'enable'} {flag}` first",
        )
    chosen = on_variant(definition, variant)
    current = read_share(snapshot, flag, chosen)
    made = find_steps(store.history(), flag, run)
    before = made[-1].before if made else {}
    begin = read_share(Snapshot(parts={**snapshot.parts, **before}), flag, chosen) if made else current
    left = plan_flag_steps(current, steps)
    set_percentage(definition, steps[-1], chosen)  # refuses a rule that it cannot change
    return FlagRollout(flag, chosen, run, who, why, begin, steps[-1]), left


def raise_flag(store: FlagStore, rollout: FlagRollout, percent: float) -> Change:
    """Give the variant to `percent`. Repeating it changes nothing.

    Raises `FencedError` when somebody else has changed the flag since this run's last step.
    """

    def decide(snapshot: Snapshot) -> Edits:
        require_ours(store, rollout)
        return {f"flags/{rollout.flag}": set_percentage(require_flag(snapshot, rollout.flag), percent, rollout.variant)}

    return change_set(store, decide, rollout.note())


def take_flag_back(store: FlagStore, flag: str, run: str, *, who: str, why: str) -> Change | None:
    """Put the flag back to where a run began; None where it has changed nothing, or somebody else has taken over.

    Repeating it changes nothing. Raises what the store raises.
    """
    while True:
        snapshot, history = store.read(), store.history()
        steps = find_steps(history, flag, run)
        if not steps or not is_last(history, flag, run) or snapshot.flag(flag) is None:
            return None
        try:
            return change_set(
                store,
                lambda _, steps=steps: go_back(steps, flag),  # type: ignore[misc]
                Note(who, f"{why} [of run {run}]", TAKEN_BACK),
                version=snapshot.version,
            )
        except LedgerConflictError:
            continue  # somebody was faster: look again who has the flag


def open_flag_sight(
    ports: EnvironmentPorts, service: str, rollout: FlagRollout, keeper: ExperimentKeeper | None
) -> FlagSight:
    """The counters before the first step. `keeper` has the events of a flag that is an experiment.

    Raises `InputError` when nothing is live, `BusyError` while a deployment moves the same service: whose fault
    an error is could not be told.
    """
    record = ports.ledger.read().services.get(service)
    slot = record.slot(record.live) if record is not None and record.live is not None else None
    if record is None or record.live is None or slot is None or slot.release is None or slot.workload is None:
        raise InputError(
            f"nobody can watch the rollout of {rollout.flag}",
            expected=f"a release of {service} that is live in {ports.name}",
            found="none",
            next_step="name the service whose users get the flag, or deploy it first",
        )
    if record.rollout is not None:
        raise BusyError(
            f"{rollout.flag} is not rolled out now",
            expected=f"no deployment of {service} in flight, or whose fault an error is could not be told",
            found=f"{record.rollout.release.version} at {record.rollout.canary_percent} %",
            next_step="wait for its end, then repeat",
        )
    now = ports.clock.now()
    seen = Rollout(
        id=rollout.run,
        service=service,
        release=slot.release,
        workload=slot.workload,
        new_colour=record.live,
        old_colour=record.live.other,
        old_version=None,
        strategy=_STRATEGY,
        steps=(),
        phase=Phase.SHIFTING,
        canary_percent=0,
        epoch=0,
        started_at=now,
        changed_at=now,
    )
    if keeper is not None:
        keeper.read_watch(rollout.flag, rollout.run)  # who cannot read it had better learn so before the first step
    return FlagSight(seen, open_watch(ports, seen))


def watch_flag(
    ports: EnvironmentPorts,
    store: FlagStore,
    rollout: FlagRollout,
    sight: FlagSight,
    *,
    hold_seconds: float,
    settings: JudgeSettings,
    report: Report,
    keeper: ExperimentKeeper | None = None,
) -> FlagSight:
    """Judge about once a second for `hold_seconds`, and on until the judge says healthy; 0 is not to watch.

    An unhealthy verdict, or none `settings.no_data_seconds` after the holding time, takes the flag back at once and
    raises `UnhealthyError`. Raises `FencedError` when somebody else has changed the flag.
    """
    if hold_seconds <= 0:
        return sight
    ends_at = ports.clock.now() + hold_seconds
    gives_up_at = ends_at + settings.no_data_seconds
    patience = Patience(ports.clock)
    seen, is_counting = None, keeper is None
    while True:
        ports.clock.sleep(LOOK_SECONDS)
        verdict: Verdict | None = None
        with patience.looking():
            seen = require_still_ours(store, rollout, seen)
            if keeper is not None and not is_counting:
                sight, is_counting = _count_errors(store, rollout, sight, keeper), True
            sight, observation, verdict = look_at_flag(ports, sight, rollout, settings, keeper)
            report(observation, verdict)
        now = ports.clock.now()
        if verdict is None:
            continue
        if verdict.standing is Standing.HEALTHY and now >= ends_at:
            return sight
        if verdict.standing is Standing.UNHEALTHY or (verdict.standing is Standing.NO_DATA and now >= gives_up_at):
            found = "; ".join(reason.message for reason in verdict.reasons)
            take_flag_back(store, rollout.flag, rollout.run, who=rollout.who, why=f"unhealthy: {found}")
            raise UnhealthyError(
                f"{rollout.flag} is unhealthy in {ports.name}",
                expected="a service that is as good with the flag as its objective asks for",
                found=found,
                next_step=f"nothing: the flag is back at {rollout.begin_percent:g} % (`switchover flags history`)",
            )


def look_at_flag(
    ports: EnvironmentPorts,
    sight: FlagSight,
    rollout: FlagRollout,
    settings: JudgeSettings,
    keeper: ExperimentKeeper | None,
) -> tuple[FlagSight, Observation, Verdict]:
    """One look: the live colour against its objective and the fixed rules, and the variants against each other."""
    watching, observation, verdict = look(ports, sight.seen, sight.watch, settings, ())
    sight = replace(sight, watch=watching)
    if keeper is None or sight.before is None:
        return sight, observation, verdict
    counts = keeper.read_watch(rollout.flag, rollout.run)
    fresh = count_fresh(counts, sight.before)
    errors = add_errors(sight.errors, fresh, rollout.variant, sight.share, settings.margin)
    against = judge_variants(errors, rollout.variant, settings)
    if against:
        others = verdict.reasons if verdict.standing is Standing.UNHEALTHY else ()
        verdict = Verdict(Standing.UNHEALTHY, (*others, *against))
    return replace(sight, errors=errors, before=counts), observation, verdict


def _count_errors(store: FlagStore, rollout: FlagRollout, sight: FlagSight, keeper: ExperimentKeeper) -> FlagSight:
    """Let the errors of each variant be counted from the first step on; at each step the share is another."""
    split = find_split(store.read().flag(rollout.flag))
    share = split.share(rollout.variant) if split is not None and split.is_by_unit else 0.0
    if sight.before is not None:
        return replace(sight, share=share)
    since = find_trusted_start(store.history(), rollout.flag, rollout.variant)
    keeper.begin_watch(ErrorWatch(rollout.flag, rollout.run, ERROR_EVENT, rollout.variant, since))
    return replace(sight, share=share, before={})
