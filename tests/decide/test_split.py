from __future__ import annotations

import pytest
from scipy.stats import binom

from switchover.decide.split import ERROR_CHANCE, MAX_PROBES, MIN_PROBES, count_probes, find_deviations
from switchover.model import Colour, Route


def seen(green: int, total: int) -> dict[Colour | None, int]:
    return {Colour.GREEN: green, Colour.BLUE: total - green}


@pytest.mark.parametrize("green", [0, 1, 2, 5, 10, 50, 90, 99, 100])
def test_so_many_probes_tell_a_split_from_one_that_gives_the_smaller_share_nothing(green: int) -> None:
    route = Route(100 - green, green)
    probes = count_probes(route)
    assert MIN_PROBES <= probes <= MAX_PROBES
    if green not in (0, 100):
        assert find_deviations(route, seen(0 if green <= 50 else probes, probes))


def test_a_smaller_share_needs_more_probes() -> None:
    assert [count_probes(Route(100 - green, green)) for green in (1, 5, 10, 50)] == [986, 194, 100, 100]


@pytest.mark.parametrize(("green", "probes"), [(1, 986), (10, 100), (37, 100), (50, 100), (90, 100)])
def test_a_split_in_force_is_contradicted_no_oftener_than_stated(green: int, probes: int) -> None:
    route, share = Route(100 - green, green), green / 100
    chance = sum(
        binom.pmf(hits, probes, share) for hits in range(probes + 1) if find_deviations(route, seen(hits, probes))
    )
    assert chance <= ERROR_CHANCE


@pytest.mark.parametrize(("before", "after"), [(0, 10), (10, 50), (50, 100), (100, 0), (10, 0), (90, 100), (1, 0)])
def test_the_step_before_is_told_from_the_step_after(before: int, after: int) -> None:
    route = Route(100 - after, after)
    probes = count_probes(route)
    missed = sum(
        binom.pmf(hits, probes, before / 100)
        for hits in range(probes + 1)
        if not find_deviations(route, seen(hits, probes))
    )
    assert missed < (0.4 if before == 1 else 0.001)


@pytest.mark.parametrize(("route", "stray"), [(Route(100, 0), Colour.GREEN), (Route(0, 100), Colour.BLUE)])
def test_one_stray_answer_disproves_all_or_nothing(route: Route, stray: Colour) -> None:
    assert not find_deviations(route, {stray.other: 1000})
    assert find_deviations(route, {stray.other: 999, stray: 1})


def test_an_answer_that_names_no_colour_and_no_answer_at_all_are_deviations() -> None:
    assert find_deviations(Route(50, 50), {Colour.GREEN: 50, Colour.BLUE: 49, None: 1}) == (
        "1 of 100 answers name no colour",
    )
    assert find_deviations(Route(50, 50), {}) == ("no probe was answered",)


def test_a_gateway_that_deals_in_turn_passes_too() -> None:
    for green in range(1, 100):
        probes = count_probes(Route(100 - green, green))
        assert not find_deviations(Route(100 - green, green), seen(round(probes * green / 100), probes))
