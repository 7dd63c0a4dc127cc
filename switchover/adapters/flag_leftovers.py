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

from switchover.adapters.flag_literals import is_harmless
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


def remove_leftovers(original: str, current: str, *, exports_imports: bool) -> Cleaned:
    """Remove what was used in `original` and is not in `current`, as long as no other module can use it."""
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
            if not (len(name) == 1 and name[0] in exported)
            and _may_go(name, node, wrapper, exports_imports=exports_imports)
        }
        cleaned = wrapper.module.visit(_Remover(removable)).code
        if cleaned == current:
            return Cleaned(current, tuple(_report(unused, wrapper)))
        current = cleaned


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
                each.name.value for each in _climb(node, parents) if isinstance(each, cst.FunctionDef | cst.ClassDef)
            )
            name = assignment.name.partition(".")[0] if isinstance(node, cst.ImportAlias) else assignment.name
            binding = bindings.setdefault((*reversed(around), name), _Binding())
            if not any(node is each for each in binding.nodes):
                binding.nodes.append(node)
            binding.reads += sum(
                not any(each is node for each in _climb(access.node, parents)) for access in assignment.references
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


def _climb(node: cst.CSTNode, parents: Mapping[cst.CSTNode, cst.CSTNode]) -> Iterator[cst.CSTNode]:
    while node in parents:
        node = parents[node]
        yield node


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
        and not any(around is binding.nodes[0] for around in _climb(each, parents))
        for each in matchers.findall(wrapper.module, matchers.Name(name))
    )


def _list_exported(source: str) -> set[str]:
    """The texts that `__all__` is made of."""
    return {
        each.value
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign)
        and "__all__"
        in {getattr(target, "id", "") for target in getattr(node, "targets", [getattr(node, "target", None)])}
        for each in ast.walk(node)
        if isinstance(each, ast.Constant) and isinstance(each.value, str)
    }


def _may_go(name: _Name, node: cst.CSTNode, wrapper: MetadataWrapper, *, exports_imports: bool) -> bool:
    private = len(name) > 1 or (name[-1].startswith("_") and not name[-1].startswith("__"))
    if isinstance(node, cst.ImportAlias):
        reexported = exports_imports or (node.asname is not None and node.evaluated_alias == node.evaluated_name)
        return not reexported and not _is_marked(node, wrapper)
    if isinstance(node, cst.FunctionDef | cst.ClassDef):
        return (
            private and not node.decorators and not (isinstance(node, cst.ClassDef) and (node.bases or node.keywords))
        )
    if isinstance(node, cst.Assign | cst.AnnAssign):
        return private and (node.value is None or is_harmless(node.value))
    return False


def _is_marked(alias: cst.ImportAlias, wrapper: MetadataWrapper) -> bool:
    """Whether the line of the import says that it is there on purpose."""
    line = next(
        each for each in _climb(alias, wrapper.resolve(ParentNodeProvider)) if isinstance(each, cst.SimpleStatementLine)
    )
    comment = line.trailing_whitespace.comment
    return comment is not None and "noqa" in comment.value


def _report(unused: dict[_Name, cst.CSTNode], wrapper: MetadataWrapper) -> Iterator[Remark]:
    positions = wrapper.resolve(PositionProvider)
    for name, node in unused.items():
        if isinstance(node, cst.FunctionDef | cst.ClassDef | cst.Assign | cst.AnnAssign | cst.ImportAlias):
            yield Remark(positions[node].start.line, f"nothing in this file uses `{'.'.join(name)}` any more")


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
