"""Flags answer as flagd's own evaluator does, and rules give the values that its JsonLogic gives.

`SWITCHOVER_FLAG_EXAMPLES` makes the comparison longer.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.contrib.tools.flagd.core.targeting import targeting
from openfeature.evaluation_context import EvaluationContext

from switchover.flags.compile_expression import compile_node
from switchover.flags.compiler import compile_set
from switchover.flags.context import Context
from switchover.flags.rule_site import Scope, Site, WholeDataNeededError
from switchover.flags.snapshot import Snapshot, parts_of
from tests.differential.flag_rules import Rules
from tests.differential.flagd import DEFAULTS, ask_flagd, see

EXAMPLES = int(os.environ.get("SWITCHOVER_FLAG_EXAMPLES", "150"))
FLAGS, CONTEXTS, RULES = 12, 16, 40


@pytest.fixture(autouse=True)
def quiet_flagd() -> Iterator[None]:
    """It logs every wrong argument and prints what a rule logs."""
    logger = logging.getLogger("openfeature.contrib")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    yield
    logger.setLevel(level)


seeds = st.integers(0, 2**48)
thorough = settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))


def test_flags_and_contexts_get_the_same_answers_as_from_flagd() -> None:
    seen: Counter[str] = Counter()

    @thorough
    @given(seeds)
    def compare(seed: int) -> None:
        rules = Rules(seed)
        text, asked = rules.document(FLAGS), [rules.context() for _ in range(CONTEXTS)]
        core = FlagdCore()
        core.set_flags(text)
        flag_set = compile_set(Snapshot(1, "x", parts_of(json.loads(text))))
        for key, answer in flag_set.answers.items():
            for targeting_key, attributes in asked:
                theirs, ours = EvaluationContext(targeting_key, attributes), Context(targeting_key, attributes)
                for kind in DEFAULTS:
                    expected = ask_flagd(core, key, kind, theirs)
                    if see(answer(ours), kind) != expected:
                        # The second of `$flagd.timestamp` may have ended between the two.
                        expected = ask_flagd(core, key, kind, theirs)
                        assert see(answer(ours), kind) == expected, (
                            json.loads(text)["flags"][key],
                            targeting_key,
                            attributes,
                        )
                seen[answer(ours).reason] += 1

    with contextlib.redirect_stdout(io.StringIO()):  # flagd prints what a rule logs
        compare()
    print(f"{seen.total()} pairs of a flag and a context, {len(DEFAULTS)} typed questions each: {dict(seen)}")  # noqa: T201 - how much was compared
    assert seen.total() >= 20_000 * EXAMPLES // 150
    assert set(seen) == {"STATIC", "DEFAULT", "TARGETING_MATCH", "DISABLED", "ERROR"}


def _evaluate(rule: Any, context: Context) -> str:
    def run(scope: Scope, data: object) -> object:
        return compile_node(rule, scope, Site("a flag")).run(data)

    try:
        try:
            return repr(run(Scope.CONTEXT, context))
        except WholeDataNeededError:
            flagd = {"flagKey": "a flag", "timestamp": int(time.time())}
            return repr(run(Scope.DATA, {**context.attributes, "$flagd": flagd, "targetingKey": context.targeting_key}))
    except ReferenceError:
        return "PARSE_ERROR"
    except Exception:  # noqa: BLE001 - whatever an operator raises
        return "GENERAL"


def _ask_flagd(rule: Any, context: EvaluationContext) -> str:
    try:
        return repr(targeting("a flag", rule, context))
    except ReferenceError:
        return "PARSE_ERROR"
    except Exception:  # noqa: BLE001 - whatever an operator raises
        return "GENERAL"


def test_rules_give_the_values_that_flagds_json_logic_gives() -> None:
    seen: Counter[str] = Counter()

    @thorough
    @given(seeds)
    def compare(seed: int) -> None:
        rules = Rules(seed)
        contexts = [rules.context() for _ in range(4)]
        for _ in range(RULES):
            rule = json.loads(json.dumps(rules.operation(3)))
            for targeting_key, attributes in contexts:
                theirs, ours = EvaluationContext(targeting_key, attributes), Context(targeting_key, attributes)
                found = _evaluate(rule, ours)
                expected = _ask_flagd(rule, theirs)
                assert found == expected or _evaluate(rule, ours) == _ask_flagd(rule, theirs), (
                    rule,
                    targeting_key,
                    attributes,
                )
                seen[found if found in {"GENERAL", "PARSE_ERROR", "None", "True", "False"} else "another value"] += 1

    with contextlib.redirect_stdout(io.StringIO()):
        compare()
    print(f"{seen.total()} values of rules: {dict(seen)}")  # noqa: T201 - how much was compared
    assert seen["another value"] > 1000
