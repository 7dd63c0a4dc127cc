"""The names of a Python module that stand for a text: constants of its own, of its classes, and imported ones."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Iterator, Mapping

Resolve = Callable[[str, int], Mapping[str, str]]
"""The constants of the module that an import names: dotted name and level of the import, 0 for an absolute one."""


def read_constants(tree: ast.Module) -> dict[str, str]:
    """Texts that are assigned once to a name of the module or of a class in it: `CHECKOUT`, `Flags.CHECKOUT`.

    A member of an enumeration is also found by its `value`. A name that is bound in any other place of the module
    (a parameter, a loop, a second assignment, `import *`) is left out: which text it stands for cannot be known.
    """
    bound = _count_bindings(tree)
    shadowed = _list_members(tree)
    found = {
        name: text
        for name, text in _list_texts(tree.body)
        if bound[name] == 1 and shadowed.get(name, {text}) == {text} and not bound["*"]
    }
    stored = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and not _is_load(node)}
    for each in tree.body:
        if isinstance(each, ast.ClassDef) and bound[each.name] == 1:
            once = Counter(
                name for statement in each.body for node in ast.walk(statement) for name in names_bound_by(node)
            )
            for name, text in _list_texts(each.body):
                if once[name] == 1 and name not in stored:
                    found[f"{each.name}.{name}"] = found[f"{each.name}.{name}.value"] = text
    return found


def _list_members(tree: ast.Module) -> dict[str, set[str | None]]:
    """What the names in classes stand for, which hide those of the module there; None: for no text."""
    found: dict[str, set[str | None]] = {}
    for each in tree.body:
        if isinstance(each, ast.ClassDef):
            texts = dict(_list_texts(each.body))
            for statement in each.body:
                for node in ast.walk(statement):
                    for name in names_bound_by(node):
                        found.setdefault(name, set()).add(texts.get(name))
    return found


def _is_load(node: ast.Attribute) -> bool:
    return isinstance(node.ctx, ast.Load)


def read_imported_constants(tree: ast.Module, resolve: Resolve) -> dict[str, str]:
    """Texts that names imported at the top of the module stand for, as they are written in this module."""
    bound, shadowed = _count_bindings(tree), _list_members(tree)
    found: dict[str, str] = {}
    for prefix, name, constants in _list_imports(tree, resolve):
        root = name.partition(".")[0]
        if bound[root] != 1 or root in shadowed:
            continue
        for constant, text in constants.items():
            if not prefix:
                found[f"{name}.{constant}"] = text
            elif constant == prefix or constant.startswith(f"{prefix}."):
                found[name + constant.removeprefix(prefix)] = text
    return found


def _list_imports(tree: ast.Module, resolve: Resolve) -> Iterator[tuple[str, str, Mapping[str, str]]]:
    """Of each import: the constant that it takes (empty: the whole module), its name here, and the constants there."""
    for node in tree.body:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield "", alias.asname or alias.name, resolve(alias.name, 0)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            for alias in node.names:
                here = alias.asname or alias.name
                yield alias.name, here, resolve(module, node.level)
                yield "", here, resolve(f"{module}.{alias.name}".lstrip("."), node.level)


def _list_texts(body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    for node in body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        value = getattr(node, "value", None)
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            yield from ((target.id, value.value) for target in targets if isinstance(target, ast.Name))


def _count_bindings(tree: ast.Module) -> Counter[str]:
    """How often each name is bound anywhere in the module, but for the bodies of its classes."""
    members = {
        id(target)
        for each in tree.body
        if isinstance(each, ast.ClassDef)
        for statement in each.body
        for target in ast.walk(statement)
        if isinstance(statement, ast.Assign | ast.AnnAssign) and isinstance(target, ast.Name)
    }
    return Counter(name for node in ast.walk(tree) if id(node) not in members for name in names_bound_by(node))


def names_bound_by(node: ast.AST) -> Iterator[str]:
    """The names that this very node binds."""
    match node:
        case ast.Name(ctx=ast.Store() | ast.Del()):
            yield node.id
        case ast.arg():
            yield node.arg
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            yield node.name
        case ast.Import() | ast.ImportFrom():
            # `import a.b` and `import a.c` bind one and the same thing.
            yield from {alias.asname or alias.name.partition(".")[0] for alias in node.names}
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            yield name
        case ast.MatchMapping(rest=str(name)):
            yield name
        case _:
            pass
