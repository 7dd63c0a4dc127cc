# ruff: noqa: FBT001 - hypothesis hands values over by name

from __future__ import annotations

import ast
from collections.abc import Sequence

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from switchover.adapters.flag_answers import Answer
from switchover.adapters.flag_calls import find_calls
from switchover.adapters.flag_removal import Removal, remove_flag
from tests.adapters.flag_programs import TAKEN, Client, programs, run

ANSWERS = st.lists(st.booleans(), min_size=1, max_size=7).map(tuple)


def take_out(source: str, *, value: bool, taken: Sequence[str] = ()) -> Removal:
    return remove_flag(source, "checkout", Answer(value, "on" if value else "off"), outside=frozenset(taken))


@given(source=programs(), value=st.booleans(), answers=ANSWERS, taken=TAKEN)
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_program_does_the_same_without_the_flag(
    source: str, value: bool, answers: tuple[bool, ...], taken: list[str]
) -> None:
    removal = take_out(source, value=value, taken=taken)

    assert run(removal.new_source, Client(value), answers, taken) == run(source, Client(value), answers, taken)


@given(source=programs(), value=st.booleans())
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_what_still_asks_is_reported_and_a_second_time_changes_nothing(source: str, value: bool) -> None:
    removal = take_out(source, value=value)

    asking = [call for call in find_calls(removal.new_source, {"CHECKOUT": "checkout"}) if call.key == "checkout"]
    assert bool(asking) == bool(removal.left)
    assert take_out(removal.new_source, value=value).new_source == removal.new_source


@given(source=programs(), value=st.booleans())
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_branch_is_left_on_a_literal(source: str, value: bool) -> None:
    removal = take_out(source, value=value)
    written = {ast.unparse(node.test) for node in _branches(source)}

    if not removal.left:
        assert {
            ast.unparse(node.test)
            for node in _branches(removal.new_source)
            if isinstance(node.test, ast.Constant) and not _is_forever(node)
        } <= written


def _branches(source: str) -> list[ast.If | ast.While | ast.IfExp]:
    return [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.If | ast.While | ast.IfExp)]


def _is_forever(node: ast.AST) -> bool:
    return isinstance(node, ast.While) and isinstance(node.test, ast.Constant) and node.test.value is True
