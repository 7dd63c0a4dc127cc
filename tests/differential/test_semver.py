"""Ranges, increments and versions are read as npm's own semver reads them."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import pytest

from switchover.decide.bumps import Bump
from switchover.decide.ranges import is_range, satisfies
from switchover.decide.version_text import next_version, parse_version
from tests.differential.oracle import ask

SEED = os.environ.get("SWITCHOVER_FUZZ_SEED", "2026")
PAIRS = 12_000
CHECKOUT = os.environ.get("SWITCHOVER_NODE_SEMVER", "")
NUMBERS = ["0", "0", "1", "1", "2", "3", "10", "9007199254740991", "9007199254740992"]
PRERELEASES = ["", "", "", "", "-0", "-alpha", "-alpha.1", "-beta.2", "-beta.11", "-rc-1.0", "-1.2.3"]
BUILDS = ["", "", "", "", "", "+build", "+b.1-2"]
SIGNS = ["", "", "^", "^", "~", "~", "~>", ">=", ">=", ">", "<", "<=", "=", "==", "^ ", "~ ", ">= ", "< ", "=v", "v"]
EDGES = [
    "",
    "*",
    "x",
    "X.x",
    "latest",
    ">",
    "||",
    "1.2.3 ||",
    "|| 1",
    "1.2.3*",
    ">*",
    "<*",
    "<=*",
    "^*",
    "~x",
    "x.1",
    "1.x.5",
]
EDGES += [
    "01.2.3",
    "1.2.3.4",
    "1.2.3-01",
    "a - b",
    "1 - 2 - 3",
    "1.2.3 - *",
    "* - 1.2",
    "workspace:^1",
    "git://x",
    "^1.2.3beta",
]
EDGES += [
    ">=0.0.0",
    ">=0.0.0-0",
    "<0.0.0-0",
    "^0.0.0",
    "~0",
    "1 || <0.0.0-0",
    "\t1.2.3  ",
    ">=1.2.3\n<2",
    "> 1 < 3",
    "=  1.2",
]


def make_part(chance: random.Random) -> str:
    return chance.choice([*NUMBERS[:7], *NUMBERS, "x", "*"] if chance.random() < 0.2 else NUMBERS[:7])


def make_comparator(chance: random.Random) -> str:
    parts = [make_part(chance) for _ in range(chance.choice([1, 2, 3, 3, 3, 3, 3]))]
    whole = len(parts) == 3
    suffix = chance.choice(PRERELEASES) if whole else ""
    return f"{chance.choice(SIGNS)}{'.'.join(parts)}{suffix}{chance.choice(BUILDS)}"


def make_range(chance: random.Random) -> str:
    if chance.random() < 0.03:
        return chance.choice(EDGES)
    alternatives = []
    for _ in range(chance.choice([1, 1, 1, 2])):
        if chance.random() < 0.1:
            alternatives.append(" - ".join(make_comparator(chance).lstrip("^~>=<v ") for _ in range(2)))
        else:
            alternatives.append(" ".join(make_comparator(chance) for _ in range(chance.choice([1, 1, 1, 2]))))
    return chance.choice(["||", " || "]).join(alternatives)


def make_version(chance: random.Random) -> str:
    return ".".join(chance.choice(NUMBERS[:7]) for _ in range(3)) + chance.choice(PRERELEASES) + chance.choice(BUILDS)


def test_random_ranges_hold_what_the_real_semver_says() -> None:
    chance = random.Random(SEED)  # noqa: S311 - the same pairs every time
    pairs = [(make_version(chance), make_range(chance)) for _ in range(PAIRS)]
    pairs += [(make_version(chance), edge) for edge in EDGES for _ in range(20)]
    (answer,) = ask([{"ask": "ranges", "pairs": pairs}])
    assert len(answer["answer"]) == len(pairs)
    ours = [[is_range(text), satisfies(version, text)] for version, text in pairs]
    assert [(pair, each) for pair, each, real in zip(pairs, ours, answer["answer"], strict=True) if each != real] == []
    assert sum(held for _, held in ours) > PAIRS / 20


def test_random_versions_grow_as_the_real_semver_says() -> None:
    chance = random.Random(SEED)  # noqa: S311 - the same versions every time
    pairs = [(make_version(chance), bump.value) for bump in Bump if bump is not Bump.NONE for _ in range(1000)]
    (answer,) = ask([{"ask": "increments", "pairs": pairs}])
    assert [next_version(version, Bump(bump)) for version, bump in pairs] == answer["answer"]


def test_what_the_real_semver_takes_for_a_version_is_one() -> None:
    chance = random.Random(SEED)  # noqa: S311 - the same texts every time
    texts = [make_comparator(chance) for _ in range(3000)] + [make_version(chance) for _ in range(1000)]
    # npm also takes a `v` or `=` in front for granted; no manifest should have one.
    texts = [text for text in texts if not text.startswith(("v", "="))]
    (answer,) = ask([{"ask": "versions", "texts": texts}])
    assert [parse_version(text) is not None for text in texts] == [real is not None for real in answer["answer"]]


@pytest.mark.skipif(not CHECKOUT, reason="SWITCHOVER_NODE_SEMVER names no checkout of github.com/npm/node-semver")
def test_the_rows_that_node_semver_tests_itself_with_hold() -> None:
    names = ["range-include", "range-exclude", "range-parse", "increments", "comparisons", "invalid-versions"]
    (answer,) = ask([{"ask": "fixtures", "checkout": str(Path(CHECKOUT).resolve()), "names": names}])
    rows: dict[str, list[Any]] = dict(zip(names, answer["answer"], strict=True))
    held = [
        *(satisfies(version, text) for text, version, *how in rows["range-include"] if is_strict(text, version, how)),
        *(
            not satisfies(version, text)
            for text, version, *how in rows["range-exclude"]
            if is_strict(text, version, how)
        ),
        *(is_range(text) is (read is not None) for text, read, *how in rows["range-parse"] if is_strict(text, "", how)),
        *(
            (next_version(text, Bump(bump)) if parse_version(text) else None) == grown
            for text, bump, grown, *how in rows["increments"]
            if bump in {"major", "minor", "patch"} and is_strict(text, "", how)
        ),
        *(
            (parse_version(high) or 0) > parse_version(low)
            for high, low, *how in rows["comparisons"]
            if is_strict(high, low, how)
        ),
        *(parse_version(text) is None for text, *how in rows["invalid-versions"] if is_strict(text, "", how[1:])),
    ]
    assert held.count(False) == 0
    assert len(held) > 300
    print(f"node-semver: {len(held)} rows")  # noqa: T201 - the summary, with -rP


def is_strict(first: object, second: object, how: list[Any]) -> bool:
    """Whether a row is about texts, without the lenient options that nobody here uses."""
    options = how[0] if how else None
    lenient = options is True or (isinstance(options, dict) and any(options.values()))
    return isinstance(first, str) and isinstance(second, str) and not lenient
