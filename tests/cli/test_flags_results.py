"""`switchover flags results`, of an experiment that real clients have recorded in a real Redis."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from switchover.flags.context import Context
from switchover.flags.opening import open_client
from tests.cli.test_flags import Flags
from tests.real_parts.redis_server import redis_server


@pytest.fixture(scope="module")
def shop() -> Iterator[Flags]:
    """200 users asked for `checkout`, half of those who got it on have paid."""
    with redis_server() as server:
        made = Flags(server.place("shop"))
        made.done("set", "checkout", "--experiment")
        made.done("rollout", "checkout", "50")
        with open_client(made.store, last_known_good=None, wait_seconds=30) as client:
            for number in range(200):
                user = Context(f"user-{number}")
                if client.is_enabled("checkout", user) and number % 2:
                    client.track("paid", user)
        yield made


def test_results_show_every_variant_with_its_interval(shop: Flags) -> None:
    found = shop.run("results", "checkout", "--event", "paid", "--json").json
    units = {each["name"]: each["units"] for each in found["variants"]}
    assert sum(units.values()) == 200
    assert (found["control"], found["verdict"]) == ("off", "better")
    shown = shop.done("results", "checkout", "--event", "paid")
    assert shown.startswith("checkout by paid: better")
    assert "against control" in shown


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("results", "checkout"), "--event"),
        (("results", "absent", "--event", "paid"), "absent"),
        (("results", "checkout", "--event", "paid", "--alpha", "2"), "alpha"),
        (("results", "checkout", "--event", "paid", "--control", "onn"), "onn"),
    ],
)
def test_a_wrong_question_is_refused(shop: Flags, command: tuple[str, ...], said: str) -> None:
    assert said in shop.refused(*command)


def test_a_file_keeps_no_records(shop: Flags) -> None:
    told = Flags("file:flags.json").refused("results", "checkout", "--event", "paid")
    assert "in Redis" in told
    assert shop.store not in told


def test_only_a_flag_that_nobody_has_asked_is_never_asked(shop: Flags) -> None:
    shop.done("set", "forgotten")
    findings = shop.run("stale", "--days", "0", "--source", __file__, "--json").json["findings"]
    assert [each["flag"] for each in findings if each["kind"] == "never asked"] == ["forgotten"]
