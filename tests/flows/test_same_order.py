"""`flows.deploy` and `operations.roll_out` say the same order twice: once with retries, once without Prefect."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

from prefect import Task

import flows.deploy
from flows.deploy import deploy
from switchover.operations import roll_out as roll_out_module
from switchover.operations.roll_out import roll_out

# Before the rollout begins, and after it has ended, the flow does what its callers do for `roll_out`.
AROUND = {"plan_deploy", "recover_abandoned", "require_ready", "acquire"}


def calls_of(function: Callable[..., Any]) -> Iterator[str]:
    """Names of what a function calls, in the order in which Python calls them."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    assert isinstance(tree, ast.FunctionDef)
    for statement in tree.body:
        yield from _calls_in(statement)


def _calls_in(node: ast.AST) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        yield from _calls_in(child)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        yield node.func.id


def operations_of(function: Callable[..., Any], scope: dict[str, Any]) -> list[str]:
    """The operations behind a function's calls, through the tasks that wrap them."""
    found = []
    for name in calls_of(function):
        called = scope.get(name)
        if isinstance(called, Task):
            found += operations_of(called.fn, called.fn.__globals__)
        elif inspect.isfunction(called) and called.__module__.startswith("switchover.operations"):
            found.append(called.__name__)
    return found


def test_the_flow_and_the_plain_rollout_take_the_same_steps_in_the_same_order() -> None:
    of_flow = [name for name in operations_of(deploy.fn, vars(flows.deploy)) if name not in AROUND]
    of_roll_out = operations_of(roll_out, vars(roll_out_module))
    assert of_flow == of_roll_out
    assert {"begin", "start_slot", "run_smoke_tests", "shift", "watch", "commit", "finalize"} <= set(of_flow)
