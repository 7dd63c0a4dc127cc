"""A flow reads aloud: calls of tasks and decisions, at most one loop, no types, no client."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

_FLOWS = Path(__file__).parents[2] / "flows"
_CLIENTS = ("prefect.client", "httpx", "http", "urllib", "requests", "socket", "subprocess")


def _is_flow(node: ast.AST) -> bool:
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return False
    names = [each.func if isinstance(each, ast.Call) else each for each in node.decorator_list]
    return any(isinstance(name, ast.Name) and name.id == "flow" for name in names)


def _flow_files() -> list[Path]:
    return [file for file in sorted(_FLOWS.glob("*.py")) if any(map(_is_flow, ast.walk(ast.parse(file.read_text()))))]


def _imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_every_flow_is_looked_at() -> None:
    assert {"deploy.py", "rollback.py", "release.py", "environment_check.py"} <= {file.name for file in _flow_files()}


@pytest.mark.parametrize("file", _flow_files(), ids=lambda file: file.name)
def test_a_flow_file_defines_no_class(file: Path) -> None:
    tree = ast.parse(file.read_text())
    assert not [node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]


@pytest.mark.parametrize("file", _flow_files(), ids=lambda file: file.name)
def test_a_flow_file_has_no_client(file: Path) -> None:
    imported = list(_imported(ast.parse(file.read_text())))
    assert not [name for name in imported if name.split(".")[0] in _CLIENTS or name.startswith(_CLIENTS[0])]
    assert not [name for name in imported if name.endswith("get_client")]


@pytest.mark.parametrize("file", _flow_files(), ids=lambda file: file.name)
def test_a_flow_has_at_most_one_loop(file: Path) -> None:
    for flow in filter(_is_flow, ast.walk(ast.parse(file.read_text()))):
        assert len([node for node in ast.walk(flow) if isinstance(node, ast.For | ast.While | ast.AsyncFor)]) <= 1
