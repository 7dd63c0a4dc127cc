"""A bad release of each kind goes back by itself, and what users saw of it is counted and bounded.

The bounds: outside of the time in which the new colour had users nobody sees an error at all. Within it nobody sees
more than that colour's share of the traffic can be, by its own rate of bad answers, twice over for chance. That time
is at most 20 s: gateways write histograms every 5 s and the judge wants evidence, not a single bad answer. The way
back takes at most 5 s, seen from outside.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pytest

from switchover.decide.deployment import DeployPlan
from switchover.errors import InputError
from switchover.model import Phase
from tests.end_to_end.kubernetes.attempt import Attempt
from tests.end_to_end.kubernetes.conftest import NewShop
from tests.end_to_end.kubernetes.figures import note_figures
from tests.end_to_end.kubernetes.project import Shop
from tests.end_to_end.kubernetes.users import Answer, Users

pytestmark = pytest.mark.cluster

GOOD = "1.0.0"
LONGEST_EXPOSURE_SECONDS = 20.0
LONGEST_WAY_BACK_SECONDS = 5.0
SLOW_SECONDS = 0.5
# What a user asks just before a change is answered just after it.
AROUND_SECONDS = 1.0
# A few at once, when all replicas of a colour die together.
AT_ONCE = 40
MIGRATIONS = """
[services.shop.migrations]
expand = ["/app", "migrate", "expand"]
timeout_seconds = 30
"""
ABSENT_DIGEST = "sha256:" + "0" * 64


@dataclass(frozen=True, slots=True)
class Bad:
    """A kind of bad release. `causes` are words that the message has, one of them at least.

    `bad_share` is how many of all answers may be bad while the new colour has users; None: it never has any.
    """

    behaviour: dict[str, str]
    causes: tuple[str, ...]
    bad_share: float | None = None
    strategy: str = "canary-10"
    settings: dict[str, object] = field(default_factory=dict)


KINDS = {
    "5xx": Bad({"ERROR_RATE": "0.3"}, ("errors",), 0.1 * 0.3),
    "slow": Bad({"DELAY_MS": "800", "SLOW_RATE": "0.5"}, ("slow",), 0.1 * 0.5),
    "crash loop": Bad({"CRASH_AFTER_S": "0.2"}, ("CrashLoopBackOff", "ended with status 3")),
    "late crash": Bad({"CRASH_AFTER_S": "8"}, ("errors", "probes failed", "restarts"), 0.1),
    "out of memory at start": Bad({"OOM": "start"}, ("OOMKilled",)),
    "out of memory on request": Bad({"OOM": "request"}, ("ran out of memory",), 0.1),
    "never ready": Bad({"NEVER_READY": "1"}, ("statuscode: 503",), settings={"ready_seconds": 8}),
    "failing smoke test": Bad({"SMOKE_FAILS": "1"}, ("functions: status 500",)),
    "failing migration": Bad(
        {"MIGRATION_FAILS": "1"}, ('relation \\"orders\\" does not exist',), settings={"migrations": MIGRATIONS}
    ),
    "error log lines": Bad({"LOG_ERROR_RATE": "0.3"}, ("log lines",), 0.0),
    "dead in the canary": Bad({"DEAD_AFTER_S": "7"}, ("errors", "probes failed"), 0.1),
    "death during the bake": Bad({"CRASH_AFTER_S": "9"}, ("errors", "probes failed"), 1.0, "instant"),
}


@pytest.fixture(scope="module")
def house(make_shop: NewShop) -> Shop:
    """A good release is live, and every bad one is in the registry."""
    shop = make_shop(hold_seconds=12, bake_seconds=15)
    shop.publish(GOOD)
    for number, kind in enumerate(KINDS.values()):
        shop.publish(f"2.{number}.0", **kind.behaviour)
    shop.publish("3.0.0")
    assert shop.deploy(GOOD).error is None
    return shop


@pytest.fixture
def shop(house: Shop) -> Iterator[Shop]:
    before = dict(house.settings)
    if house.live_version != GOOD:
        assert house.deploy(GOOD, "instant").error is None
    yield house
    house.configure(**before)


@pytest.mark.parametrize("name", KINDS)
def test_a_bad_release_goes_back_by_itself(shop: Shop, name: str) -> None:
    kind, version = KINDS[name], f"2.{list(KINDS).index(name)}.0"
    if kind.settings:
        shop.configure(**kind.settings)
    with shop.users() as users:
        attempt = shop.deploy(version, kind.strategy)
        users.await_more(100)
    note(f"bad release: {name}", attempt, users, kind)
    assert_taken_back(shop, attempt, users)
    assert any(cause in attempt.message for cause in kind.causes), attempt.message
    if kind.bad_share is None:
        assert attempt.exposed is None
        assert users.of(attempt.colour) == ()
        assert users.failure_counts == {}
        assert [answer for answer in users.answers if is_bad(answer)] == []
    else:
        assert_bounded(attempt, users, kind.bad_share)


def test_an_image_whose_digest_is_gone_is_never_started_and_the_event_is_told(shop: Shop) -> None:
    def lose_image(plan: DeployPlan) -> DeployPlan:
        artifact = replace(plan.release.artifact, digest=ABSENT_DIGEST)
        return replace(plan, release=replace(plan.release, artifact=artifact))

    with shop.users() as users:
        attempt = shop.deploy("3.0.0", change=lose_image)
        users.await_more(100)
    note("bad release: image gone", attempt, users, Bad({}, ()))
    assert_taken_back(shop, attempt, users)
    assert ABSENT_DIGEST in attempt.message
    assert "ErrImagePull" in attempt.message or "ImagePullBackOff" in attempt.message
    assert "NotFound" in attempt.message
    assert users.failure_counts == {}
    assert users.of(attempt.colour) == ()


def test_a_version_without_an_image_is_refused_before_anything_changes(shop: Shop) -> None:
    before = shop.ports.ledger.read()
    with pytest.raises(InputError, match=r"9\.9\.9 was never released"):
        shop.deploy("9.9.9")
    assert shop.ports.ledger.read() == before


def test_after_a_bad_release_the_next_good_one_comes_live(shop: Shop) -> None:
    shop.configure(hold_seconds=1, bake_seconds=1)
    with shop.users() as users:
        assert shop.deploy("2.7.0", "instant").error is not None
        attempt = shop.deploy("3.0.0", "canary-50")
        assert attempt.error is None, attempt.message
    assert users.failure_counts == {}
    shop.assert_one_healthy_colour("3.0.0")


def assert_taken_back(shop: Shop, attempt: Attempt, users: Users) -> None:
    assert attempt.error is not None
    assert attempt.entry is not None
    assert attempt.entry.outcome == Phase.ROLLED_BACK.value
    if attempt.restored is not None:
        assert attempt.rollback_seconds < LONGEST_WAY_BACK_SECONDS
        late = [each for each in users.since(attempt.restored) if each.colour == attempt.colour]
        assert late == [], "the bad colour answered after the traffic was confirmed back"
    shop.assert_one_healthy_colour(GOOD)


def assert_bounded(attempt: Attempt, users: Users, bad_share: float) -> None:
    assert attempt.exposed is not None
    assert attempt.restored is not None
    assert attempt.restored - attempt.exposed < LONGEST_EXPOSURE_SECONDS
    within = [
        each
        for each in users.answers
        if attempt.exposed - AROUND_SECONDS <= each.at <= attempt.restored + AROUND_SECONDS
    ]
    bad = [answer for answer in users.answers if is_bad(answer)]
    assert [answer for answer in bad if answer not in set(within)] == []
    assert len(bad) <= 2 * bad_share * len(within) + (AT_ONCE if bad_share else 0)


def is_bad(answer: Answer) -> bool:
    return answer.failed or answer.seconds > SLOW_SECONDS


def note(scenario: str, attempt: Attempt, users: Users, kind: Bad) -> None:
    bad = [answer.at for answer in users.answers if is_bad(answer)]
    note_figures(
        scenario,
        requests=users.requests,
        failed=len(users.failures),
        failures=users.failure_counts,
        bad_answers=len(bad),
        answers_of_the_bad_colour=len(users.of(attempt.colour)),
        exposed_seconds=attempt.decided - attempt.exposed if attempt.exposed else 0.0,
        # From the first bad answer, where a user saw one: some releases turn bad late.
        detection_seconds=max(0.0, attempt.decided - min(bad)) if bad else attempt.detection_seconds,
        rollback_seconds=attempt.rollback_seconds,
        strategy=kind.strategy,
        message=attempt.message.replace("\n", " ")[:600],
    )
