"""Who gets which share."""

from __future__ import annotations

import itertools
from typing import Any

import cbor2
import mmh3
import pytest

from switchover.flags.bucketing import BUCKETS, hash_pair, hash_value
from switchover.flags.context import Context
from tests.flags.compiler_cases import a_flag, a_set, ask, serves

KEYS = [f"user-{index}" for index in range(4000)]


def _served(targeting: Any, variants: dict[str, Any] | None = None) -> list[str | None]:
    answer = a_set({"checkout": a_flag(targeting, variants=variants or {"on": True, "off": False})}).answers["checkout"]
    return [answer(Context(key)).variant for key in KEYS]


@pytest.mark.parametrize("key", ["u", "x" * 23, "x" * 24, "é" * 100, "x" * 255, "x" * 256, "x" * 65_535, "x" * 65_536])
def test_the_bucket_is_murmur3_over_the_canonical_cbor_of_flag_and_targeting_key(key: str) -> None:
    bucket = mmh3.hash(cbor2.dumps(["checkout", key], canonical=True), 0, signed=False)
    assert hash_pair("checkout", key) == bucket
    weights = [["on", 1], ["off", 1]]
    answer = a_set({"checkout": a_flag({"fractional": weights})}).answers["checkout"]
    expected = "on" if bucket * 2 >> 32 < 1 else "off"
    # The second time comes from what the first has kept.
    assert [answer(Context(key)).variant for _ in range(2)] == [expected, expected]


def test_raising_a_percentage_keeps_everyone_who_had_the_feature() -> None:
    had: set[str] = set()
    for percent in (0, 1, 10, 25, 50, 99, 100):
        served = _served({"fractional": [["on", percent], ["off", 100 - percent]]})
        have = {key for key, variant in zip(KEYS, served, strict=True) if variant == "on"}
        assert had <= have
        assert abs(len(have) / len(KEYS) - percent / 100) < 0.03
        had = have
    assert len(had) == len(KEYS)


def test_several_variants_get_their_shares_and_none_of_weight_zero() -> None:
    variants = dict(itertools.pairwise("abcdef"))
    served = _served({"fractional": [["a", 20], ["b", 0], ["c", 30], ["d", 50], ["e", 0]]}, variants)
    shares = {name: served.count(name) / len(served) for name in variants}
    assert shares == pytest.approx({"a": 0.2, "b": 0, "c": 0.3, "d": 0.5, "e": 0}, abs=0.03)


def test_each_variant_named_without_a_weight_gets_the_same_share() -> None:
    served = _served({"fractional": [["on"], ["off"]]})
    assert served.count("on") / len(served) == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("key", [None, "", 7, ["a"], "\ud800"])
def test_without_a_usable_targeting_key_nobody_is_in_a_bucket(key: Any) -> None:
    assert serves({"fractional": [["on", 100], ["off", 0]]}, Context(key)) == "off"
    assert serves({"fractional": [["on", 100], ["off", 0], ["on", 1]]}, Context(key)) == "off"
    assert serves({"if": [{"var": "$flagd.timestamp"}, {"fractional": [["on", 100]]}]}, Context(key)) == "off"


@pytest.mark.parametrize(
    "weights",
    [[["on", 1.0]], [["on", True]], [["on", "1"]], [["on", 2**31]], [["on", 0]], [["on", 1, 2]], [[]], [["on", -1]]],
)
def test_wrong_weights_put_nobody_in_a_bucket(weights: Any) -> None:
    assert ask(a_flag({"fractional": weights}), Context("user")).reason == "DEFAULT"


@pytest.mark.parametrize("weights", [[["on", 1], ["off", 2.5]], [["on", 1], "off"]])
def test_one_wrong_weight_spoils_them_all(weights: Any) -> None:
    assert ask(a_flag({"fractional": weights}), Context("user")).reason == "DEFAULT"


def test_a_negative_weight_counts_as_zero() -> None:
    assert set(_served({"fractional": [["on", -5], ["off", 1]]})) == {"off"}


def test_buckets_can_be_those_of_an_attribute() -> None:
    rule = {"fractional": [{"var": "company"}, ["on", 50], ["off", 50]]}
    served = {serves(rule, Context(key, {"company": "acme"})) for key in KEYS[:50]}
    assert len(served) == 1
    bucket = mmh3.hash(cbor2.dumps("acme"), 0, signed=False)
    assert served == {"on" if bucket < BUCKETS // 2 else "off"}


def test_whole_numbers_share_a_bucket_with_their_floats() -> None:
    assert hash_value(1) == hash_value(1.0)
    assert hash_value({"b": [2.0], "a": 1}) == hash_value({"a": 1.0, "b": [2]})
    assert hash_value(1e300) != hash_value(int(1e300))


def test_what_cannot_be_encoded_has_no_bucket() -> None:
    circular: list[Any] = []
    circular.append(circular)
    assert [hash_value(value) for value in (None, circular, object(), "\ud800")] == [None] * 4
    assert hash_value(10**40) is not None
