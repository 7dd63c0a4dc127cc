"""A task states how often it is repeated, after how long, how long it may take, and that nothing is cached."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from prefect import Task
from prefect.cache_policies import NO_CACHE

from tasks.repeating import worth_repeating

_TASKS = Path(__file__).parents[2] / "tasks"
_STATED = {"name", "retries", "timeout_seconds", "cache_policy"}


def _decorators() -> Iterator[tuple[str, str, dict[str, ast.expr]]]:
    for file in sorted(_TASKS.glob("*.py")):
        functions = [node for node in ast.parse(file.read_text()).body if isinstance(node, ast.FunctionDef)]
        for node in functions:
            for decorator in node.decorator_list:
                call = decorator if isinstance(decorator, ast.Call) else None
                name = call.func if call else decorator
                if isinstance(name, ast.Name) and name.id == "task":
                    keywords = {each.arg: each.value for each in call.keywords if each.arg} if call else {}
                    yield file.stem, node.name, keywords


_ALL = list(_decorators())


def _load(module: str, name: str) -> Task[..., Any]:
    found = getattr(import_module(f"tasks.{module}"), name)
    assert isinstance(found, Task)
    return found


def test_there_are_tasks() -> None:
    assert len(_ALL) > 20


@pytest.mark.parametrize(("module", "name", "keywords"), _ALL, ids=[f"{each[0]}.{each[1]}" for each in _ALL])
def test_a_task_states_its_retries_its_timeout_and_no_cache(
    module: str, name: str, keywords: dict[str, ast.expr]
) -> None:
    assert set(keywords) >= _STATED
    task = _load(module, name)
    assert task.timeout_seconds is not None
    assert task.timeout_seconds > 0
    assert task.cache_policy is NO_CACHE
    if task.retries:
        assert "retry_delay_seconds" in keywords, "what is repeated waits first"
        assert task.retry_jitter_factor, "and not all at the same moment"
        assert task.retry_condition_fn is worth_repeating, "and only where another try may help"
