from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from switchover.adapters.prometheus_api import PrometheusApi, PrometheusSilentError
from switchover.adapters.prometheus_signals import PATIENCE_SECONDS, STALE_SECONDS, PrometheusSignals, read_token
from switchover.config_cluster import PrometheusConfig
from switchover.errors import InputError, SwitchoverError, TargetError
from switchover.model import Colour, Step, Tally, Workload, count_since
from tests.fakes import FakeClock
from tests.prometheus_fixtures import NAMESPACE, Asked, BudgetLedger, free_port, serving, vector

BLUE, GREEN = Colour.BLUE, Colour.GREEN
TOKEN = "s3cret-t0ken"  # noqa: S105 nobody's
NOW = 1_700_000_000.0
CANARY, INSTANT = (Step(10, 1.0), Step(100, 1.0)), (Step(100, 1.0),)


@dataclass(slots=True)
class StandIn:
    """What Prometheus says next, and what it was asked."""

    status: int = 200
    body: bytes = b""
    asked: list[Asked] = field(default_factory=list)
    address: str = ""

    def respond(self, asked: Asked) -> tuple[int, bytes]:
        self.asked.append(asked)
        return self.status, self.body

    def count(self, *samples: tuple[str, Colour, str, float], age: float = 0.0) -> None:
        """Let these series be found: the source's name, and kind and number of what it counts for a colour."""
        found: list[tuple[dict[str, str], object]] = [
            ({"__name__": kind, "pod": source, "switchover_colour": colour, "switchover_kind": kind}, value)
            for source, colour, kind, value in samples
        ]
        if samples:
            found.append(({"switchover_colour": "blue", "switchover_kind": "newest"}, NOW - age))
        self.status, self.body = 200, vector(*found, at=NOW)


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    one = StandIn()
    one.count()
    with serving(one.respond) as one.address:
        yield one


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def open_signals(url: str, clock: FakeClock, token: str = "", **config: object) -> PrometheusSignals:
    settings = PrometheusConfig.model_validate({"url": url, "preset": "envoy", **config})
    ledger = BudgetLedger({"shop": 250})
    return PrometheusSignals(settings, NAMESPACE, {"shop": "shop-route"}, lambda: token, ledger, clock)


@pytest.fixture
def signals(stand_in: StandIn, clock: FakeClock) -> PrometheusSignals:
    return open_signals(f"http://{stand_in.address}/base/", clock, TOKEN)


def both(requests: float, slow: float = 0) -> tuple[tuple[str, Colour, str, float], ...]:
    return ("a", GREEN, "requests", requests), ("a", GREEN, "slow", slow)


# --- what is asked, and how answers are read ----------------------------------------------------------


def test_everything_is_asked_in_one_question_with_the_token_in_the_header(
    stand_in: StandIn, signals: PrometheusSignals
) -> None:
    signals.read_tallies("shop")
    (asked,) = stand_in.asked
    assert asked.path == "/base/api/v1/query"
    assert asked.headers["Authorization"] == f"Bearer {TOKEN}"
    for wanted in ("prod_shop-blue_[0-9]+", "service/prod/shop-green/[0-9]+", 'le=~"250([.]0)?"'):
        assert wanted in asked.form["query"]


def test_placeholders_of_own_queries_are_filled_and_braces_of_promql_are_left_alone(
    stand_in: StandIn, clock: FakeClock
) -> None:
    own = 'x{namespace="{namespace}",w=~"{workload}-[a-z]{5}",route="{route}",le="{budget}"} # a comment'
    open_signals(f"http://{stand_in.address}", clock, slow=own).read_tallies("shop")
    filled = 'x{namespace="prod",w=~"shop-green-[a-z]{5}",route="shop-route",le="250"} # a comment\n)'
    assert filled in stand_in.asked[0].form["query"]


def test_the_sources_of_a_colour_stay_apart_so_that_each_may_start_again(
    stand_in: StandIn, signals: PrometheusSignals
) -> None:
    stand_in.count(*both(100, 4), ("a", GREEN, "errors", 3), ("b", GREEN, "requests", 50), ("b", GREEN, "slow", 0))
    before = signals.read_tallies("shop")
    assert before == {BLUE: {}, GREEN: {"pod=a": Tally(100, 3, 4), "pod=b": Tally(50)}}
    stand_in.count(*both(2, 1), ("b", GREEN, "requests", 60), ("b", GREEN, "slow", 0))
    assert count_since(signals.read_tallies("shop")[GREEN], before[GREEN]) == Tally(12, 0, 1)


def test_a_colour_that_was_never_asked_has_no_sources(signals: PrometheusSignals) -> None:
    assert signals.read_tallies("shop") == {BLUE: {}, GREEN: {}}


def test_a_difference_of_counters_that_is_below_zero_for_a_moment_counts_as_none(
    stand_in: StandIn, signals: PrometheusSignals
) -> None:
    stand_in.count(*both(5, -1))
    assert signals.read_tallies("shop")[GREEN] == {"pod=a": Tally(5)}


@pytest.mark.parametrize("value", [1.5, float("nan"), float("inf")])
def test_what_is_no_whole_number_is_no_count(stand_in: StandIn, signals: PrometheusSignals, value: float) -> None:
    stand_in.count(*both(5), ("a", GREEN, "errors", value))
    with pytest.raises(InputError, match="the query errors does not count"):
        signals.read_tallies("shop")


def test_errors_of_a_source_that_counts_no_requests_are_refused(stand_in: StandIn, signals: PrometheusSignals) -> None:
    stand_in.count(*both(5), ("another", GREEN, "errors", 2))
    with pytest.raises(InputError, match=r"do not belong together(?s:.*)pod=another none from `requests`"):
        signals.read_tallies("shop")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b'{"status":"success"}',
        b'{"status":"success","data":{"resultType":"scalar","result":[1,"1"]}}',
        b'{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1]}]}}',
        b'{"status":"success","data":{"resultType":"vector","result":[{"metric":{"a":1},"value":[1,"1"]}]}}',
        b'{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"many"]}]}}',
        b" " * 4_000_001,
    ],
    ids=["nothing", "html", "list", "no data", "scalar", "half a sample", "label", "number", "too large"],
)
def test_an_answer_that_is_none_is_an_error(stand_in: StandIn, signals: PrometheusSignals, body: bytes) -> None:
    stand_in.body = body
    with pytest.raises(TargetError, match="of all counts of shop cannot be used"):
        signals.read_tallies("shop")


def test_a_sample_without_our_labels_is_an_error(stand_in: StandIn, signals: PrometheusSignals) -> None:
    stand_in.body = vector(({"pod": "a"}, 1))
    with pytest.raises(TargetError, match="cannot be used"):
        signals.read_tallies("shop")


# --- trouble -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (400, InputError, "is not understood"),
        (401, TargetError, "renew the token in the variable that `token_variable` names"),
        (403, TargetError, "does not let us in"),
        (404, TargetError, "is not the API of Prometheus"),
        (302, TargetError, "is not the API of Prometheus"),
        (422, InputError, "is not understood"),
        (429, PrometheusSilentError, "status 429"),
        (500, PrometheusSilentError, "status 500"),
        (503, PrometheusSilentError, "status 503"),
        (0, PrometheusSilentError, "does not answer"),
    ],
)
def test_each_refusal_has_its_reaction_and_never_shows_the_token(
    stand_in: StandIn, signals: PrometheusSignals, status: int, error: type[SwitchoverError], words: str
) -> None:
    stand_in.status = status
    stand_in.body = json.dumps({"status": "error", "error": f"you sent {TOKEN}"}).encode()
    with pytest.raises(error, match=words) as caught:
        signals.read_tallies("shop")
    assert TOKEN not in str(caught.value)
    assert TOKEN not in repr(signals._api)


def test_a_token_that_an_answer_repeats_is_not_shown(stand_in: StandIn, signals: PrometheusSignals) -> None:
    stand_in.body = f"<html>{TOKEN}</html>".encode()
    with pytest.raises(TargetError, match="the token") as caught:
        signals.read_tallies("shop")
    assert TOKEN not in str(caught.value)


def test_nobody_there_is_an_error_when_nothing_was_counted_before(clock: FakeClock) -> None:
    with pytest.raises(PrometheusSilentError, match="refused"):
        open_signals(f"http://127.0.0.1:{free_port()}", clock).read_tallies("shop")


def silent(stand_in: StandIn) -> None:
    stand_in.status = 503


def vanished(stand_in: StandIn) -> None:
    stand_in.count()


def stale(stand_in: StandIn) -> None:
    stand_in.count(*both(10), age=STALE_SECONDS + 1)


BLINDNESS = pytest.mark.parametrize("blind", [silent, vanished, stale])


@BLINDNESS
def test_blindness_counts_nothing_for_a_while_and_is_then_an_error(
    stand_in: StandIn, signals: PrometheusSignals, clock: FakeClock, blind: Callable[[StandIn], None]
) -> None:
    stand_in.count(*both(10))
    before = signals.read_tallies("shop")
    blind(stand_in)
    clock.sleep(PATIENCE_SECONDS)
    assert signals.read_tallies("shop") == before
    clock.sleep(1)
    for _ in range(2):
        with pytest.raises(PrometheusSilentError):
            signals.read_tallies("shop")


@BLINDNESS
def test_what_was_counted_meanwhile_is_seen_when_it_is_over(
    stand_in: StandIn, signals: PrometheusSignals, clock: FakeClock, blind: Callable[[StandIn], None]
) -> None:
    stand_in.count(*both(10))
    before = signals.read_tallies("shop")
    for _ in range(3):  # each time there is the whole patience again
        blind(stand_in)
        clock.sleep(PATIENCE_SECONDS)
        signals.read_tallies("shop")
        stand_in.count(*both(15, 1))
        assert count_since(signals.read_tallies("shop")[GREEN], before[GREEN]) == Tally(5, 0, 1)


def test_a_sample_of_a_long_scrape_interval_is_not_stale(
    stand_in: StandIn, signals: PrometheusSignals, clock: FakeClock
) -> None:
    for _ in range(5):
        stand_in.count(*both(10), age=STALE_SECONDS - 1)
        assert signals.read_tallies("shop")[GREEN] == {"pod=a": Tally(10)}
        clock.sleep(60)


def test_a_refusal_is_no_blindness_and_is_told_at_once(stand_in: StandIn, signals: PrometheusSignals) -> None:
    stand_in.count(*both(10))
    signals.read_tallies("shop")
    stand_in.status = 401
    with pytest.raises(TargetError, match="does not let us in"):
        signals.read_tallies("shop")


# --- throttling ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("values", "throttled"), [((), None), ((0,), False), ((0, 1), True), ((0, 0, 1), False)])
def test_throttling_is_seen_denied_or_unknown(
    stand_in: StandIn, signals: PrometheusSignals, values: tuple[int, ...], throttled: object
) -> None:
    stand_in.body = vector(*(({"pod": str(number)}, value) for number, value in enumerate(values)))
    assert signals.read_throttled("shop", GREEN, ["0", "1"]) is throttled  # "2" is of the release before
    assert 'pod=~"shop-green-[a-z0-9]{1,10}-[a-z0-9]{5}"' in stand_in.asked[0].form["query"]


def test_throttling_is_unknown_while_prometheus_is_silent(stand_in: StandIn, signals: PrometheusSignals) -> None:
    stand_in.status = 503
    assert signals.read_throttled("shop", GREEN, ["0"]) is None


# --- what is refused before anything changes -------------------------------------------------------------


def a_workload(budget_ms: int) -> Workload:
    return Workload((), 1, "/", latency_budget_ms=budget_ms)


@pytest.mark.parametrize(
    ("preset", "budget", "near"),
    [
        ("envoy", 500, None),
        ("envoy", 625, None),
        ("envoy", 626, "500 ms or 1000 ms"),
        ("envoy", 900, "500 ms or 1000 ms"),
        ("envoy", 2, "1 ms or 5 ms"),
        ("istio", 100_000, "60000 ms"),
        ("ingress-nginx", 500, None),
        ("ingress-nginx", 2000, "1000 ms or 2500 ms"),
        ("ingress-nginx", 3, "5 ms"),
    ],
)
def test_a_latency_budget_that_no_bucket_stands_for_is_an_obstacle(
    stand_in: StandIn, clock: FakeClock, preset: str, budget: int, near: str | None
) -> None:
    signals = open_signals(f"http://{stand_in.address}", clock, preset=preset)
    found = signals.find_obstacles("shop", a_workload(budget), CANARY)
    assert [obstacle.expected for obstacle in found] == (
        [f"a bound of the gateway's histogram: {near}"] if near else []
    )


def test_an_own_query_for_slow_answers_may_have_any_budget(stand_in: StandIn, clock: FakeClock) -> None:
    signals = open_signals(f"http://{stand_in.address}", clock, slow="x > {budget}")
    assert signals.find_obstacles("shop", a_workload(777), CANARY) == ()


def test_a_prometheus_that_does_not_answer_is_an_obstacle(stand_in: StandIn, signals: PrometheusSignals) -> None:
    stand_in.status = 503
    (obstacle,) = signals.find_obstacles("shop", a_workload(250), CANARY)
    assert "does not answer the query of all counts of shop: status 503" in str(obstacle)


@pytest.mark.parametrize(
    "url", ["http://me:pw@host", "http://host?token=pw", "http://host:0", "http://host:port", "http:///"]
)
def test_an_address_that_cannot_be_used_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(InputError, match="address of Prometheus cannot be used") as caught:
        PrometheusApi(url)
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize("token", ["line\nend", "two words", "ü"])
def test_a_token_that_cannot_be_sent_is_refused_and_not_shown(token: str) -> None:
    with pytest.raises(InputError, match="cannot be sent") as caught:
        PrometheusApi("http://host", lambda: token).require_token()
    assert token not in str(caught.value)


def test_the_token_comes_from_its_variable_and_is_missed_there() -> None:
    config = PrometheusConfig.model_validate({"url": "http://x", "preset": "istio", "token_variable": "PROM"})
    assert read_token(config, {"PROM": f"{TOKEN}\n"}) == TOKEN
    assert read_token(config.model_copy(update={"token_variable": None}), {}) == ""
    with pytest.raises(InputError, match="set PROM"):
        read_token(config, {})


def test_a_missing_token_fails_nothing_before_something_is_asked_and_is_an_obstacle(
    stand_in: StandIn, clock: FakeClock
) -> None:
    config = PrometheusConfig.model_validate(
        {"url": f"http://{stand_in.address}", "preset": "istio", "token_variable": "PROM"}
    )
    environ: dict[str, str] = {}
    signals = PrometheusSignals(config, NAMESPACE, {}, lambda: read_token(config, environ), BudgetLedger(), clock)
    for steps in (CANARY, INSTANT):
        (obstacle,) = signals.find_obstacles("shop", a_workload(250), steps)
        assert obstacle.fix.startswith("set PROM")
    with pytest.raises(InputError, match="set PROM"):
        signals.read_tallies("shop")
    environ["PROM"] = TOKEN
    signals.read_tallies("shop")
    assert stand_in.asked[-1].headers["Authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize(
    ("interval", "no_data_seconds", "needed"),
    [(30.002, 60, None), (30.002, 50, "60"), (60, 60, "120"), (60, 120, None), (14.99, 10, "30")],
)
def test_no_data_must_be_held_for_longer_than_two_scrapes_take(
    stand_in: StandIn, clock: FakeClock, interval: float, no_data_seconds: float, needed: str | None
) -> None:
    signals = open_signals(f"http://{stand_in.address}", clock)
    stand_in.body = vector(({"switchover_colour": "blue", "switchover_kind": "newest"}, interval), at=interval)
    found = signals.find_obstacles("shop", a_workload(250), CANARY, no_data_seconds)
    assert [obstacle.fix.partition(",")[0] for obstacle in found] == (
        [f"set `no_data_seconds = {needed}`"] if needed else []
    )
    assert all(f"every {interval:.0f} s" in obstacle.found for obstacle in found)


def test_whoever_deploys_at_once_may_do_so_while_prometheus_is_silent(
    stand_in: StandIn, signals: PrometheusSignals
) -> None:
    stand_in.status = 503
    assert signals.find_obstacles("shop", a_workload(250), INSTANT) == ()
