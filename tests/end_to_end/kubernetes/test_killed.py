"""The deploying process killed with SIGKILL in every phase; `switchover watch` runs as the watchdog.

Whichever way it goes, the ledger is closed and one healthy colour is left: before the commit point the old one, after
it the new one. Users ask all the time, and lose nothing by it. Six shops go through the points at the same time.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from switchover.adapters.waiting import wait_until
from switchover.model import HistoryEntry, Phase
from switchover.operations.lease import release, take_over
from tests.end_to_end.kubernetes.conftest import NewShop
from tests.end_to_end.kubernetes.doomed import CLAIMED, WRITE, Point
from tests.end_to_end.kubernetes.figures import note_figures
from tests.end_to_end.kubernetes.processes import run_deployer, watchdog
from tests.end_to_end.kubernetes.project import SERVICE, Shop
from tests.end_to_end.kubernetes.users import Answer, Users

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

LANES = 6
PAUSE_SECONDS = 0.08
GOOD, OTHER, BAD = "1.0.0", "1.1.0", "2.0.0"
_SETTINGS = {"hold_seconds": 1, "bake_seconds": 1, "environment": "lease_seconds = 5"}
_MIGRATIONS = """
[services.shop.migrations]
expand = ["/app", "migrate", "expand"]
contract = ["/app", "migrate", "contract"]
"""
_MIGRATE = "migrate"
_RECOVERY_SECONDS = 60.0
_LEFT_TO_DO = "its deployer went silent"
# Half of the traffic, and half of that fails, until the judge has seen it and, where its process died before it could
# act, the lease has run out: what the users of a bad release see is bounded, and is the release's own 500.
_MOST_SECONDS_ON_THE_BAD_ONE = 30.0

SHIFTING, FINALIZING, RETREATING = Phase.SHIFTING.value, Phase.FINALIZING.value, Phase.RETREATING.value
OLD, NEW = "old", "new"
# In the order of a rollout's way, with which of the two versions is live in the end.
POINTS: tuple[tuple[Point, str], ...] = (
    (Point(CLAIMED, WRITE, "after"), OLD),
    (Point("preparing", WRITE, "after"), OLD),
    (Point("preparing", "back_up", "after"), OLD),
    (Point("migrating", _MIGRATE, "before"), OLD),
    (Point("migrating", _MIGRATE, "after"), OLD),
    (Point("starting", "start", "before"), OLD),
    (Point("starting", "start", "after"), OLD),
    (Point("testing", "probe", "after"), OLD),
    (Point("approving", WRITE, "after"), OLD),
    (Point(SHIFTING, "set_route", "before", 50), OLD),
    (Point(SHIFTING, "set_route", "after", 50), OLD),
    (Point(SHIFTING, "set_route", "before", 100), OLD),
    (Point(SHIFTING, "set_route", "after", 100), OLD),
    (Point("baking", WRITE, "after"), OLD),
    (Point(FINALIZING, WRITE, "after"), NEW),
    (Point(FINALIZING, "stop", "before"), NEW),
    (Point(FINALIZING, "stop", "after"), NEW),
    (Point(FINALIZING, _MIGRATE, "after"), NEW),
    (Point(FINALIZING, "append_history", "after"), NEW),
    (Point(RETREATING, WRITE, "after"), OLD),
    (Point(RETREATING, "set_route", "after"), OLD),
    (Point(RETREATING, "stop", "before"), OLD),
    (Point(RETREATING, "append_history", "after"), OLD),
)


@dataclass(slots=True)
class Outcome:
    """What became of one death. `trouble` is why the environment is not one healthy colour, empty: it is.

    Seconds of the epoch; `closed` is when the ledger showed no rollout any more.
    """

    point: Point
    old: str
    new: str
    began: float
    status: int = 0
    said: str = ""
    killed: float = 0.0
    closed: float = 0.0
    ended: float = 0.0
    live: str = ""
    trouble: str = ""
    entry: HistoryEntry | None = None
    answers: tuple[Answer, ...] = field(default=(), repr=False)

    @property
    def failures(self) -> tuple[Answer, ...]:
        return tuple(answer for answer in self.answers if answer.failed)


@pytest.fixture(scope="module")
def outcomes(make_shop: NewShop) -> dict[Point, Outcome]:
    """All deaths, each lane of them one after the other in a shop of its own."""
    shops = [make_shop(**_SETTINGS) for _ in range(LANES)]
    lanes = [[point for point, _ in POINTS[number::LANES]] for number in range(LANES)]
    with ThreadPoolExecutor(LANES) as pool:
        results = list(pool.map(walk, shops, lanes))
    found = {outcome.point: outcome for lane in results for outcome in lane}
    note_all(found)
    return found


def walk(shop: Shop, points: Sequence[Point]) -> list[Outcome]:
    """One lane: users and the watchdog are there all the time."""
    for version in (GOOD, OTHER):
        shop.publish(version)
    shop.publish(BAD, ERROR_RATE="0.5")
    assert shop.deploy(GOOD, "instant").error is None
    with shop.users(pause=PAUSE_SECONDS) as users, watchdog(shop):
        outcomes = [die(shop, point, users) for point in points]
    for outcome in outcomes:
        outcome.answers = tuple(each for each in users.answers if outcome.began <= each.at < outcome.ended)
    return outcomes


def die(shop: Shop, point: Point, users: Users) -> Outcome:
    """Let a deployer die there, and wait until the watchdog has brought the environment to an end."""
    in_two_steps = point.percent is not None or point.phase == RETREATING
    shop.configure(
        strategy="canary-50" if in_two_steps else "instant", migrations=_MIGRATIONS if point.effect == _MIGRATE else ""
    )
    old = shop.live_version
    new = BAD if point.phase == RETREATING else OTHER if old == GOOD else GOOD
    outcome = Outcome(point, old, new, began=time.time())
    done = run_deployer(shop, new, point)
    outcome.status, outcome.said = done.returncode, done.stdout + done.stderr
    outcome.killed = time.time()
    if not wait_until(lambda: is_closed(shop), _RECOVERY_SECONDS, 0.2):
        outcome.trouble = f"nobody ended it within {_RECOVERY_SECONDS:.0f} s"
        return outcome
    outcome.closed = time.time()
    outcome.live = shop.live_version
    outcome.trouble = find_trouble(shop, users)
    outcome.entry = next(iter(shop.ports.ledger.read_history(SERVICE, 1)), None)
    outcome.ended = time.time()
    return outcome


def is_closed(shop: Shop) -> bool:
    """Nothing is in flight. A lease without a rollout needs nobody: it is let run out."""
    record = shop.ports.ledger.read()
    lease_is_over = record.lease is None or record.lease.expires_at <= time.time()
    return record.services[SERVICE].rollout is None and lease_is_over


def find_trouble(shop: Shop, users: Users) -> str:
    """What keeps the shop from being one healthy colour with users on it; empty: nothing."""
    free(shop)
    try:
        shop.assert_one_healthy_colour(shop.live_version)
        users.await_more(20)
    except AssertionError as error:
        return f"not one healthy colour: {error}"
    return ""


def free(shop: Shop) -> None:
    """Take the lease that a deployer left which had begun nothing; it has run out."""
    claim = take_over(shop.ports, "the test", 1.0, lambda record: record.lease is not None)
    if claim is not None:
        release(shop.ports, claim)


def note_all(outcomes: dict[Point, Outcome]) -> None:
    good = [each for each in outcomes.values() if each.new != BAD]
    note_figures(
        "the deploying process killed in every phase",
        deaths=len(outcomes),
        requests=sum(len(each.answers) for each in good),
        failed=sum(len(each.failures) for each in good),
        seconds_until_ended=[round(each.closed - each.killed, 1) for each in outcomes.values()],
        lease_seconds=5,
    )
    bad = [each for each in outcomes.values() if each.new == BAD]
    note_figures(
        "the deploying process of a bad release killed on its way back",
        deaths=len(bad),
        requests=sum(len(each.answers) for each in bad),
        failed=sum(len(each.failures) for each in bad),
    )


def name_of(point: Point) -> str:
    share = "" if point.percent is None else f" to {point.percent} %"
    return f"{point.phase}: {point.when} {point.effect}{share}"


@pytest.mark.parametrize(("point", "live"), POINTS, ids=[name_of(point) for point, _ in POINTS])
def test_a_killed_deployer_leaves_what_the_watchdog_brings_to_one_healthy_colour(
    outcomes: dict[Point, Outcome], point: Point, live: str
) -> None:
    outcome = outcomes[point]
    assert outcome.status == -9, outcome.said
    assert outcome.trouble == ""
    assert outcome.live == (outcome.new if live == NEW else outcome.old)
    assert outcome.answers
    if outcome.new != BAD:
        assert [str(answer) for answer in outcome.failures] == []
    if point.phase != CLAIMED:
        assert outcome.entry is not None
        assert outcome.entry.to_version == outcome.new
        assert outcome.entry.outcome == (Phase.LIVE if live == NEW else Phase.ROLLED_BACK).value
        assert any(_LEFT_TO_DO in reason.message for reason in outcome.entry.reasons)


def test_users_of_a_bad_release_see_its_own_errors_and_for_a_bounded_time(outcomes: dict[Point, Outcome]) -> None:
    for outcome in outcomes.values():
        if outcome.new == BAD and outcome.failures:
            assert {(answer.kind, answer.status) for answer in outcome.failures} == {("5xx", "500")}
            assert outcome.failures[-1].at - outcome.failures[0].at < _MOST_SECONDS_ON_THE_BAD_ONE
            assert outcome.failures[-1].at < outcome.closed
