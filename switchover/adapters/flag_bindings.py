"""What a function does to its names: taking statements out of it must not make a local name a global one."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import libcst as cst

from switchover.adapters.flag_constants import names_bound_by

_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


def find_broken_names(original: cst.FunctionDef, updated: cst.FunctionDef) -> str | None:
    """Why a function without some of its statements would be another one; None where it is the same."""
    before, after = _parse(original), _parse(updated)
    if before is None or after is None or ast.dump(before) == ast.dump(after):
        return None
    if _is_generator(before) and not _is_generator(after):
        return "without what is never reached it would be no generator any more"
    used = {node.id for node in ast.walk(after) if isinstance(node, ast.Name)}
    broken = sorted((_list_bound(before) - _list_bound(after)) & used)
    if broken:
        return f"{', '.join(broken)} would be read without being assigned in it"
    broken = sorted((_list_declared(before) - _list_declared(after)) & used)
    return f"{', '.join(broken)} would not be declared in it any more" if broken else None


def _parse(function: cst.FunctionDef) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    tree = ast.parse(cst.Module([function]).code)
    return next((each for each in tree.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)), None)


def _walk_own(node: ast.AST) -> Iterator[ast.AST]:
    """Everything in a function but what is inside other functions and classes."""
    for child in ast.iter_child_nodes(node):
        yield child
        if not isinstance(child, _SCOPES):
            yield from _walk_own(child)


def _is_generator(function: ast.AST) -> bool:
    return any(isinstance(node, ast.Yield | ast.YieldFrom) for node in _walk_own(function))


def _list_bound(function: ast.AST) -> set[str]:
    return {name for node in _walk_own(function) for name in names_bound_by(node)}


def _list_declared(function: ast.AST) -> set[str]:
    return {name for node in _walk_own(function) if isinstance(node, ast.Global | ast.Nonlocal) for name in node.names}
