from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchover.decide.record import apply_event, begin_rollout
from switchover.decide.rollback import Way, plan_recovery
from switchover.decide.rollout import (
    BAD_NEWS,
    ENDED,
    REVERSIBLE,
    TRANSITIONS,
    Event,
    ImpossibleEventError,
    advance,
    render_diagram,
)
from switchover.errors import InputError
from switchover.model import EnvironmentRecord, Phase, Reason
from tests.builders import a_begun_record, a_plan, the_rollout

DOCS = Path(__file__).parents[2] / "docs"

HAPPY_WAY = [
    (Event.PREPARED, None),
    (Event.READY, None),
    (Event.TESTS_PASSED, 10),
    (Event.STEP_PASSED, 50),
    (Event.STEP_PASSED, 100),
    (Event.FULLY_SHIFTED, None),
    (Event.BAKED, None),
]


def walk(steps: int, record: EnvironmentRecord | None = None) -> EnvironmentRecord:
    """A record whose rollout has gone `steps` steps of the happy way."""
    record = a_begun_record() if record is None else record
    for index, (event, percent) in enumerate(HAPPY_WAY[:steps]):
        record = apply_event(record, "shop", event, now=101.0 + index, canary_percent=percent)
    return record


def recover(record: EnvironmentRecord) -> EnvironmentRecord:
    """What recovery writes: the bad news if there was none yet, then the end of the way that the plan names."""
    record = apply_event(record, "shop", Event.LEASE_EXPIRED, now=200.0)
    plan = plan_recovery("shop", record.services["shop"])
    event = Event.FINALIZED if plan.way is Way.FINISH else Event.RESTORED
    return apply_event(record, "shop", event, now=201.0)


def test_the_happy_way_ends_live_on_the_new_colour() -> None:
    record = apply_event(walk(len(HAPPY_WAY)), "shop", Event.FINALIZED, now=200.0)
    service = record.services["shop"]
    assert service.live == "green"
    assert service.rollout is None
    assert service.route is not None
    assert service.route.green_percent == 100
    assert service.green.release is not None
    assert service.green.release.version == "1.1.0"
    assert service.blue.release is None


@given(steps=st.integers(0, len(HAPPY_WAY)), events=st.lists(st.sampled_from(list(Event)), max_size=6))
def test_from_every_reachable_state_every_event_ends_in_exactly_one_live_colour(
    steps: int, events: list[Event]
) -> None:
    record = walk(steps)
    for event in events:
        if record.services["shop"].rollout is None:
            break
        try:
            record = apply_event(record, "shop", event, now=150.0)
        except ImpossibleEventError:
            continue  # refused, and the record is what it was
    if record.services["shop"].rollout is not None:
        record = recover(record)
    service = record.services["shop"]
    assert service.rollout is None
    assert service.live is not None
    assert service.route is not None
    assert service.route.percent(service.live) == 100
    assert service.slot(service.live).release is not None
    assert service.slot(service.live.other).release is None


@given(steps=st.integers(0, len(HAPPY_WAY)))
def test_the_live_colour_changes_only_at_the_commit_point(steps: int) -> None:
    record = walk(steps)
    committed = the_rollout(record).phase is Phase.FINALIZING
    assert record.services["shop"].live == ("green" if committed else "blue")


@pytest.mark.parametrize("phase", REVERSIBLE)
@pytest.mark.parametrize("event", sorted(BAD_NEWS))
def test_bad_news_before_the_commit_point_leads_back(phase: Phase, event: Event) -> None:
    assert TRANSITIONS[phase, event] is Phase.RETREATING


@pytest.mark.parametrize("phase", [Phase.FINALIZING, Phase.RETREATING])
@pytest.mark.parametrize("event", sorted(BAD_NEWS))
def test_bad_news_after_the_decision_changes_nothing(phase: Phase, event: Event) -> None:
    assert TRANSITIONS[phase, event] is phase


def test_every_phase_but_the_ended_ones_has_a_way_out_and_ended_ones_have_none() -> None:
    leaving = {phase for (phase, _), following in TRANSITIONS.items() if following is not phase}
    assert leaving == set(Phase) - set(ENDED)
    assert not [phase for phase, _ in TRANSITIONS if phase in ENDED]


def test_a_retreat_always_intends_no_traffic_for_the_new_colour() -> None:
    rollout = the_rollout(walk(4))
    assert rollout.canary_percent == 50
    assert advance(rollout, Event.UNHEALTHY, now=1.0).canary_percent == 0
    assert advance(rollout, Event.UNHEALTHY, now=1.0, canary_percent=50).canary_percent == 0


def test_a_reason_is_kept_once_and_in_order() -> None:
    first, second = Reason("errors", "too many"), Reason("rollback", "asked")
    rollout = advance(the_rollout(walk(3)), Event.UNHEALTHY, now=1.0, reasons=(first,))
    rollout = advance(rollout, Event.ROLLBACK_REQUESTED, now=2.0, reasons=(first, second))
    assert rollout.reasons == (first, second)


def test_an_event_that_a_phase_cannot_have_is_refused_by_name() -> None:
    with pytest.raises(ImpossibleEventError, match="preparing cannot become baked"):
        advance(the_rollout(a_begun_record()), Event.BAKED, now=1.0)


def test_a_first_rollout_that_fails_leaves_nothing_live_and_nothing_in_the_slots() -> None:
    empty = EnvironmentRecord("production")
    record = recover(walk(3, a_begun_record(empty)))
    service = record.services["shop"]
    assert (service.live, service.route, service.rollout) == (None, None, None)
    assert service.blue.release is None


def test_a_plan_made_against_another_live_colour_is_refused() -> None:
    record = a_begun_record()
    with pytest.raises(InputError, match="changed while the deployment"):
        begin_rollout(a_plan(record), record, rollout_id="2", now=1.0, flow_run_id=None)


def test_the_diagram_in_the_docs_is_the_table() -> None:
    assert render_diagram() in (DOCS / "rollout.md").read_text(encoding="utf-8")
