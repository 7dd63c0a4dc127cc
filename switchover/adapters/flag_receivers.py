"""What in a Python module is surely a client of flags, by what it is called and by what is bound to that name."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from switchover.adapters.flag_constants import names_bound_by

LIBRARIES = ("switchover.flags", "openfeature", "ldclient")
CLIENTS = frozenset({"api.get_client", "get_client", "ldclient.get", "openfeature.api.get_client"})
"""Calls that give the client there is, and do nothing else."""

# What only a client of flags is called, by the last part of its name.
_TELLING = re.compile(r"flags?|feature|toggle|switchover|ldclient|(?:^|_)ld(?:_|$)", re.IGNORECASE)
# A call of a library that gives a client, and a type that is one.
_GIVES_CLIENT = re.compile(r"client$|^get$", re.IGNORECASE)
_FINDER = re.compile(r"^_?(get|open|make|create|build|new)_client$")


@dataclass(frozen=True, slots=True)
class Receivers:
    """The names of one module, with dots: `bound` only ever hold a client, `other` may hold something else.

    `imported` are the names of modules and of whatever else was imported.
    """

    bound: frozenset[str]
    other: frozenset[str]
    imported: frozenset[str]

    def is_client(self, node: ast.expr) -> bool:
        """Whether a method of a common name, called on this, surely asks for a flag."""
        if isinstance(node, ast.Await):
            return self.is_client(node.value)
        if isinstance(node, ast.Call):
            return _finds_client(node)
        name = dotted_name(node)
        if name is None or name in self.other:
            return False
        if name in self.bound:
            return True
        root, _, last = name.rpartition(".")
        if _speaks_of_flags(last):
            return True
        return last.strip("_").lower() == "client" and (not root or root.partition(".")[0] not in self.imported)


def find_receivers(tree: ast.AST) -> Receivers:
    """Read what is bound to every name of a module."""
    imported, library = _read_imports(tree)
    bindings = list(_list_bindings(tree, library))
    counted = Counter(name for node in ast.walk(tree) for name in names_bound_by(node))
    assigned = Counter(node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and _is_store(node))
    stored = Counter(name for name, _ in bindings)
    bound: AbstractSet[str] = frozenset()
    while True:
        gives = Counter(name for name, value in bindings if value is True or _copies(value, bound))
        found = frozenset(
            name for name, count in gives.items() if count == stored[name] and ("." in name or count == counted[name])
        )
        if found == bound:
            break
        bound = found
    other = {
        name
        for name, value in bindings
        if name not in bound and value is not True and value is not None and not _may_be_client(value)
    }
    other |= {name for name, count in assigned.items() if count > stored[name]}  # by a loop, or out of a tuple
    return Receivers(frozenset(bound), frozenset(other), frozenset(imported))


def imports_a_library(tree: ast.AST) -> bool:
    """Whether a library of flags is imported anywhere in it."""
    return bool(_read_imports(tree)[1])


def dotted_name(node: ast.AST) -> str | None:
    """`a.b.c` for names and attributes of names, else None."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = dotted_name(node.value)
        return before and f"{before}.{node.attr}"
    return None


def _read_imports(tree: ast.AST) -> tuple[set[str], set[str]]:
    """All names that imports bind, and those that stand for a library of flags or something of it."""
    imported: set[str] = set()
    library: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            absolute = isinstance(node, ast.Import) or not node.level
            module = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
            for alias in node.names:
                name = alias.asname or alias.name.partition(".")[0]
                imported.add(name)
                if absolute and any(f"{module}{alias.name}.".startswith(f"{each}.") for each in LIBRARIES):
                    library.add(name)
    return imported, library


_Value = ast.expr | bool | None
"""What is bound to a name: True for a client for certain, None for nothing that says anything."""


def _list_bindings(tree: ast.AST, library: AbstractSet[str]) -> Iterator[tuple[str, _Value]]:
    """Every name with dots that is assigned, and every parameter with a type."""
    for node in ast.walk(tree):
        pairs: list[tuple[ast.expr | None, ast.expr | None]] = []
        if isinstance(node, ast.Assign):
            pairs = [(target, node.value) for target in node.targets]
        elif isinstance(node, ast.AnnAssign | ast.NamedExpr):
            pairs = [(node.target, node.value)]
        elif isinstance(node, ast.withitem):
            pairs = [(node.optional_vars, node.context_expr)]
        annotation = getattr(node, "annotation", None) if isinstance(node, ast.arg | ast.AnnAssign) else None
        typed = annotation is not None and _is_client_type(annotation, library)
        if isinstance(node, ast.arg) and typed:
            yield node.arg, True
        for target, value in pairs:
            name = None if target is None else dotted_name(target)
            if name is not None:
                yield name, True if typed else _read_value(value, library)


def _read_value(value: ast.expr | None, library: AbstractSet[str]) -> _Value:
    if value is None or (isinstance(value, ast.Constant) and value.value is None):
        return None
    if isinstance(value, ast.Await):
        return _read_value(value.value, library)
    name = dotted_name(value.func) if isinstance(value, ast.Call) else None
    if name is not None and name.partition(".")[0] in library and _GIVES_CLIENT.search(name.rpartition(".")[2]):
        return True
    return value


def _is_client_type(annotation: ast.expr, library: AbstractSet[str]) -> bool:
    """`Client`, `flags.Client`, `Client | None`, and the same as a text."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        try:
            return _is_client_type(ast.parse(annotation.value, mode="eval").body, library)
        except (SyntaxError, ValueError):
            return False
    if isinstance(annotation, ast.BinOp):
        empty = isinstance(annotation.right, ast.Constant) and annotation.right.value is None
        return empty and _is_client_type(annotation.left, library)
    name = dotted_name(annotation)
    return name is not None and name.partition(".")[0] in library and name.lower().endswith("client")


def _is_store(node: ast.Name) -> bool:
    return isinstance(node.ctx, ast.Store)


def _copies(value: _Value, bound: AbstractSet[str]) -> bool:
    return isinstance(value, ast.expr) and dotted_name(value) in bound


def _may_be_client(value: _Value) -> bool:
    """Whether what is bound to a name says nothing against a client."""
    if isinstance(value, ast.Call):
        return _finds_client(value)
    name = dotted_name(value) if isinstance(value, ast.expr) else None
    last = "" if name is None else name.rpartition(".")[2]
    return _speaks_of_flags(last) or last.strip("_").lower() == "client"


def _finds_client(call: ast.Call) -> bool:
    """Whether a call gives a client of flags: `get_client()`, `open_flags()`, `flags.make_client()`."""
    name = dotted_name(call.func)
    if name is None:
        return False
    root, _, last = name.rpartition(".")
    if name in CLIENTS:
        return True
    if _FINDER.match(last):
        return not root or root == "self" or any(_speaks_of_flags(part) for part in root.split("."))
    return _speaks_of_flags(last) and not root


def _speaks_of_flags(name: str) -> bool:
    return _TELLING.search(name) is not None
