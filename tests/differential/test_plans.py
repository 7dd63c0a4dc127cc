"""Plans are those of changesets itself, of both majors, on random workspaces.

`SWITCHOVER_FUZZ_SEED` chooses other workspaces. Two deviations are on purpose: a version or a suffix that npm would
refuse is refused here before it is planned, and the prerelease mode of changesets 2 ends without a version for
packages that never had one.
"""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from typing import Any

import pytest

from switchover.adapters.manifest_values import read_npm_package
from switchover.decide.bumps import Bump
from switchover.decide.changeset_config import choose_settings, parse_changeset_config
from switchover.decide.changesets import Changeset
from switchover.decide.plan_json import plan_to_json
from switchover.decide.prerelease import parse_pre_state
from switchover.decide.snapshot import Snapshot
from switchover.decide.version_text import parse_version
from switchover.decide.versions import plan_versions
from switchover.errors import InputError
from tests.differential.oracle import ask
from tests.differential.workspaces import make_case

CASES = 700
CHUNKS = 4
SEED = os.environ.get("SWITCHOVER_FUZZ_SEED", "2026")


def plan(case: dict[str, Any]) -> dict[str, Any] | InputError:
    """Our plan in the engine's shape, or our refusal."""
    try:
        return _plan(case)
    except InputError as refusal:
        return refusal


def _plan(case: dict[str, Any]) -> dict[str, Any]:
    packages = tuple(
        package
        for each in case["packages"]
        if (package := read_npm_package(each["manifest"], each["folder"])) is not None
    )
    changesets = tuple(
        Changeset(
            each["id"], tuple((release["name"], Bump(release["type"])) for release in each["releases"]), each["summary"]
        )
        for each in case["changesets"]
    )
    snapshot = case["snapshot"]
    planned = plan_versions(
        packages,
        changesets,
        {},
        choose_settings(parse_changeset_config(json.dumps(case["config"])), case["major"]),
        pre_state=parse_pre_state(json.dumps(case["preState"])) if case["preState"] else None,
        snapshot=Snapshot(case["now"], snapshot.get("commit", ""), snapshot.get("tag"))
        if snapshot is not None
        else None,
    )
    document = plan_to_json(planned)
    del document["switchover"]
    return document


def is_refused_on_purpose(answer: dict[str, Any]) -> bool:
    """Whether the engine planned a version that is none: a template with `_` in it, or one that it does not fill in."""
    return any(parse_version(each["newVersion"]) is None for each in answer["releases"] if each.get("newVersion"))


def expect(answer: dict[str, Any]) -> dict[str, Any]:
    """The engine's plan without releases of packages that have no version."""
    releases = [each for each in answer["releases"] if "oldVersion" in each or each["type"] == "none"]
    return {**answer, "releases": releases}


@pytest.mark.parametrize("major", [2, 3])
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_plans_of_random_workspaces_are_those_of_the_real_engine(major: int, chunk: int) -> None:
    chance = random.Random(f"{SEED}-{major}-{chunk}")  # noqa: S311 - the same workspaces every time
    cases = [make_case(chance, major) for _ in range(CASES)]
    answers = ask(cases)
    seen: Counter[str] = Counter()
    for at, (case, answer) in enumerate(zip(cases, answers, strict=True)):
        where = f"seed {SEED}, changesets {major}, chunk {chunk}, case {at}: {json.dumps(case)}"
        ours = plan(case)
        if isinstance(ours, InputError):
            assert "error" in answer or is_refused_on_purpose(answer["answer"]), f"{ours}\n{where}\n{answer}"
            seen["refused by both" if "error" in answer else "refused here"] += 1
            continue
        assert "answer" in answer, f"the engine says {answer['error']!r}\n{where}"
        assert ours == expect(answer["answer"]), where
        seen["planned"] += 1
        seen["with releases"] += bool(ours["releases"])
    assert seen["planned"] + seen["refused by both"] + seen["refused here"] == CASES
    assert seen["with releases"] > CASES / 3
    assert seen["refused by both"] > CASES / 20
    print(f"changesets {major}, chunk {chunk}, seed {SEED}: {dict(seen)}")  # noqa: T201 - the summary, with -rP
