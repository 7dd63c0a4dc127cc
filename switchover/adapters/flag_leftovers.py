"""What nothing uses any more once a flag is gone: imports, private functions and constants, local names."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import libcst as cst
from libcst import matchers
from libcst.helpers import get_full_name_for_node
from libcst.metadata import (
    Assignment,
    BaseAssignment,
    ClassScope,
    ExpressionContext,
    ExpressionContextProvider,
    ImportAssignment,
    MetadataWrapper,
    ParentNodeProvider,
    PositionProvider,
    ScopeProvider,
)

from switchover.adapters.flag_blocks import drop_new_docstring
from switchover.adapters.flag_definitions import climb, may_go
from switchover.adapters.flag_frames import names_in_query, reads_names_by_text
from switchover.adapters.flag_mentions import EVERYTHING
from switchover.adapters.flag_receivers import find_receivers
from switchover.adapters.flag_remarks import Remark

_Name = tuple[str, ...]
"""The functions and classes around a name, and the name."""


@dataclass(frozen=True, slots=True)
class Cleaned:
    """A source without what became unused, and what did but has to be decided by a person."""

    source: str
    remaining: tuple[Remark, ...]


@dataclass(slots=True)
class _Binding:
    """Everything that binds one name, and how often it is read outside of what is bound."""

    nodes: list[cst.CSTNode] = field(default_factory=list)
    reads: int = 0


def remove_leftovers(
    original: str, current: str, *, exports_imports: bool, outside: frozenset[str] = frozenset()
) -> Cleaned:
    """Remove what was used in `original` and is not in `current`, as long as no other module can use it.

    `outside` are the names that other files take from this one, `*`: every public one.
    """
    receivers = find_receivers(ast.parse(original))
    used = {name for name, binding in _read_bindings(_wrap(original)).items() if binding.reads}
    while True:
        wrapper = _wrap(current)
        unused = {
            name: binding.nodes[0]
            for name, binding in _read_bindings(wrapper).items()
            if name in used
            and not binding.reads
            and len(binding.nodes) == 1
            and not _is_read(name[-1], binding, wrapper)
        }
        exported = _list_exported(current)
        removable = {
            node
            for name, node in unused.items()
            if not (len(name) == 1 and (name[0] in exported or _is_taken(name[0], outside)))
            and not _is_read_by_text(name, node, wrapper)
            and may_go(name, node, wrapper, receivers, exports_imports=exports_imports)
        }
        cleaned = wrapper.module.visit(_Remover(removable)).code
        if cleaned == current:
            return Cleaned(current, tuple(_report(unused, wrapper, outside)))
        current = cleaned


def _is_taken(name: str, outside: frozenset[str]) -> bool:
    return name in outside or (EVERYTHING in outside and not name.startswith("_"))


def _is_read_by_text(name: _Name, node: cst.CSTNode, wrapper: MetadataWrapper) -> bool:
    """Whether something may read it by its text: where it is local in the function around, else in the module."""
    region: cst.CSTNode = wrapper.module
    if len(name) > 1:
        functions = (
            each for each in climb(node, wrapper.resolve(ParentNodeProvider)) if isinstance(each, cst.FunctionDef)
        )
        region = next(iter([*functions][-1:]), region)
        return reads_names_by_text(region) or names_in_query(region, name[-1])
    texts = matchers.findall(region, matchers.SimpleString())
    named = (cst.ensure_type(each, cst.SimpleString).raw_value for each in texts)
    return reads_names_by_text(region) or any(each.rpartition(".")[2] == name[-1] for each in named)


def _wrap(source: str) -> MetadataWrapper:
    return MetadataWrapper(cst.parse_module(source), unsafe_skip_copy=True)


def _read_bindings(wrapper: MetadataWrapper) -> dict[_Name, _Binding]:
    parents = wrapper.resolve(ParentNodeProvider)
    bindings: dict[_Name, _Binding] = {}
    scopes = {scope for scope in wrapper.resolve(ScopeProvider).values() if scope is not None}
    for scope in scopes:
        if isinstance(scope, ClassScope):
            continue
        for assignment in scope.assignments:
            node = _find_node(assignment, parents)
            if node is None:
                continue
            around = tuple(
                each.name.value for each in climb(node, parents) if isinstance(each, cst.FunctionDef | cst.ClassDef)
            )
            name = assignment.name.partition(".")[0] if isinstance(node, cst.ImportAlias) else assignment.name
            binding = bindings.setdefault((*reversed(around), name), _Binding())
            if not any(node is each for each in binding.nodes):
                binding.nodes.append(node)
            binding.reads += sum(
                not any(each is node for each in climb(access.node, parents)) for access in assignment.references
            )
    return bindings


def _find_node(assignment: BaseAssignment, parents: Mapping[cst.CSTNode, cst.CSTNode]) -> cst.CSTNode | None:
    """What binds the name: an alias of an import, a definition, an assignment; None for everything else."""
    if isinstance(assignment, ImportAssignment):
        statement = assignment.node
        names = statement.names if isinstance(statement, cst.Import | cst.ImportFrom) else ()
        aliases = names if not isinstance(names, cst.ImportStar) else ()
        return next((alias for alias in aliases if _is_bound_by(assignment.name, alias)), None)
    if not isinstance(assignment, Assignment):
        return None
    node = assignment.node
    if isinstance(node, cst.FunctionDef | cst.ClassDef):
        return node
    parent = parents.get(node)
    if isinstance(parent, cst.AssignTarget):
        assign = parents[parent]
        return assign if isinstance(assign, cst.Assign) and len(assign.targets) == 1 else node
    return parent if isinstance(parent, cst.AnnAssign) and parent.target is node else node


def _is_bound_by(name: str, alias: cst.ImportAlias) -> bool:
    if alias.asname is not None:
        return alias.evaluated_alias == name
    full = get_full_name_for_node(alias.name) or ""
    return full == name or full.startswith(f"{name}.")


def _is_read(name: str, binding: _Binding, wrapper: MetadataWrapper) -> bool:
    """Whether anything of that name is read anywhere else: scopes know nothing of what a loop reads the next time."""
    if isinstance(binding.nodes[0], cst.ImportAlias):
        return False
    parents, contexts = wrapper.resolve(ParentNodeProvider), wrapper.resolve(ExpressionContextProvider)
    return any(
        contexts.get(each) in {ExpressionContext.LOAD, ExpressionContext.DEL}
        and not (
            isinstance(parents[each], cst.Attribute) and cst.ensure_type(parents[each], cst.Attribute).attr is each
        )
        and not any(around is binding.nodes[0] for around in climb(each, parents))
        for each in matchers.findall(wrapper.module, matchers.Name(name))
    )


def _list_exported(source: str) -> set[str]:
    """The texts that `__all__` is made of, and whatever stands beside them."""
    return {
        each.value
        for node in ast.parse(source).body
        if any(isinstance(each, ast.Name) and each.id == "__all__" for each in ast.walk(node))
        for each in ast.walk(node)
        if isinstance(each, ast.Constant) and isinstance(each.value, str)
    }


def _report(unused: dict[_Name, cst.CSTNode], wrapper: MetadataWrapper, outside: frozenset[str]) -> Iterator[Remark]:
    positions = wrapper.resolve(PositionProvider)
    for name, node in unused.items():
        if isinstance(node, cst.FunctionDef | cst.ClassDef | cst.Assign | cst.AnnAssign | cst.ImportAlias):
            taken = len(name) == 1 and _is_taken(name[0], outside)
            yield Remark(
                positions[node].start.line,
                f"nothing in this file uses `{'.'.join(name)}` any more"
                + (", but another file takes it from here" if taken else ""),
            )


class _Remover(cst.CSTTransformer):
    """Takes these nodes out."""

    def __init__(self, nodes: set[cst.CSTNode]) -> None:
        super().__init__()
        self._nodes = nodes

    def on_visit(self, node: cst.CSTNode) -> bool:
        """Look into everything but imports, which cannot be without names even for a moment."""
        return not isinstance(node, cst.Import | cst.ImportFrom)

    def on_leave(  # type: ignore[override]
        self, original_node: cst.CSTNode, updated_node: cst.CSTNode
    ) -> cst.CSTNode | cst.RemovalSentinel:
        """Remove the node, and the line or the import that has nothing left."""
        if original_node in self._nodes:
            return cst.RemoveFromParent()
        updated_node = _drop_new_docstring(original_node, updated_node)
        if isinstance(updated_node, cst.SimpleStatementLine) and not updated_node.body:
            return cst.RemoveFromParent()
        if isinstance(original_node, cst.Import | cst.ImportFrom) and not isinstance(
            original_node.names, cst.ImportStar
        ):
            return self._shorten(original_node, original_node.names)
        return updated_node

    def _shorten(
        self, statement: cst.Import | cst.ImportFrom, names: Sequence[cst.ImportAlias]
    ) -> cst.Import | cst.ImportFrom | cst.RemovalSentinel:
        kept = [alias for alias in names if alias not in self._nodes]
        if len(kept) == len(names):
            return statement
        if not kept:
            return cst.RemoveFromParent()
        if getattr(statement, "lpar", None) is None:
            kept[-1] = kept[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)
        else:
            kept[-1] = kept[-1].with_changes(comma=names[-1].comma)
        return statement.with_changes(names=kept)


def _drop_new_docstring(original: cst.CSTNode, updated: cst.CSTNode) -> cst.CSTNode:
    if isinstance(original, cst.FunctionDef) and isinstance(updated, cst.FunctionDef):
        return drop_new_docstring(original, updated)
    if isinstance(original, cst.ClassDef) and isinstance(updated, cst.ClassDef):
        return drop_new_docstring(original, updated)
    if isinstance(original, cst.Module) and isinstance(updated, cst.Module):
        return drop_new_docstring(original, updated)
    return updated
