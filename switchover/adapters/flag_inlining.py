"""Names that stand for a known value: which of them can be replaced by it wherever they are read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import libcst as cst
from libcst import matchers
from libcst.metadata import (
    ExpressionContext,
    ExpressionContextProvider,
    FunctionScope,
    GlobalScope,
    MetadataWrapper,
    ParentNodeProvider,
    PositionProvider,
    Scope,
    ScopeProvider,
)

from switchover.adapters.flag_expressions import Assignment
from switchover.adapters.flag_frames import is_shown, names_in_query, reads_names_by_text
from switchover.adapters.flag_literals import Known
from switchover.adapters.flag_remarks import Remark

Parents = Mapping[cst.CSTNode, cst.CSTNode]


@dataclass(slots=True)
class Inlining:
    """The names to replace, the assignments to drop, and those that stay. Grows from pass to pass.

    `outside` are the names of the module that other files take from it, `*`: every public one.
    """

    outside: frozenset[str] = frozenset()
    names: dict[cst.CSTNode, Known] = field(default_factory=dict)
    dropped: set[cst.CSTNode] = field(default_factory=set)
    kept: dict[cst.CSTNode, Remark] = field(default_factory=dict)
    owners: dict[cst.CSTNode, Assignment] = field(default_factory=dict)
    """By the name that is read: the assignment that it reads."""

    def extend(
        self, wrapper: MetadataWrapper, assigned: Iterable[tuple[Assignment, Known]], excluded: frozenset[cst.CSTNode]
    ) -> bool:
        """Plan for assignments of known values; return whether there was a new one."""
        grown = False
        for node, known in assigned:
            if node in self.dropped or node in self.kept:
                continue
            grown = True
            name = _read_target(node)
            uses = None if name is None or node in excluded else _find_uses(wrapper, node, name, known)
            if uses is not None:
                self.names |= dict.fromkeys(uses, known)
                self.owners |= dict.fromkeys(uses, node)
            if uses is not None and name is not None and not _is_public(wrapper, node, name, self.outside):
                self.dropped.add(node)
            else:
                line = wrapper.resolve(PositionProvider)[node].start.line
                what = name or cst.Module([]).code_for_node(node).partition("=")[0].strip()
                self.kept[node] = Remark(
                    line, f"`{what}` is {known.value!r} from here on; who reads it is not followed"
                )
        return grown


def _read_target(node: Assignment) -> str | None:
    """The one name that is assigned, if it is one and a name."""
    target = node.targets[0].target if isinstance(node, cst.Assign) else node.target
    if isinstance(node, cst.Assign) and len(node.targets) != 1:
        return None
    return target.value if isinstance(target, cst.Name) else None


def _is_public(wrapper: MetadataWrapper, node: Assignment, name: str, outside: frozenset[str]) -> bool:
    """Whether another module may read it."""
    scope = wrapper.resolve(ScopeProvider)[node]
    public = not name.startswith("_") or name.startswith("__") or name in outside
    return isinstance(scope, GlobalScope) and public


def _find_uses(wrapper: MetadataWrapper, node: Assignment, name: str, known: Known) -> list[cst.CSTNode] | None:
    """Where the name is read, when all of it surely reads this very value; else None."""
    scope = wrapper.resolve(ScopeProvider)[node]
    parents: Parents = wrapper.resolve(ParentNodeProvider)
    if scope is None:
        return None
    own = [each for each in scope.assignments if each.name == name]
    if not isinstance(scope, FunctionScope | GlobalScope) or isinstance(known.value, dict | list) or len(own) != 1:
        return None
    region = _find_region(node, scope, parents)
    if reads_names_by_text(region) or names_in_query(region, name):
        return None
    place = _find_place(node, parents)
    uses = _list_reads(region, name, wrapper, parents)
    if place is None or uses is None or not all(_is_read(use, known, parents) for use in uses):
        return None
    block, at = place
    return uses if all(_stands_after(use, block, at, parents) for use in uses) else None


def _find_region(node: cst.CSTNode, scope: Scope, parents: Parents) -> cst.CSTNode:
    """The function, or the whole module, in which the name may be read."""
    while node in parents and not (isinstance(scope, FunctionScope) and isinstance(node, cst.FunctionDef | cst.Lambda)):
        node = parents[node]
    return node


def _list_reads(region: cst.CSTNode, name: str, wrapper: MetadataWrapper, parents: Parents) -> list[cst.CSTNode] | None:
    """Every place in the region that reads the name; None where anything but one assignment binds it anywhere there.

    Scopes inside it count as well, whatever they mean by the name.
    """
    contexts = wrapper.resolve(ExpressionContextProvider)
    reads: list[cst.CSTNode] = []
    assigned = 0
    for each in matchers.findall(region, matchers.Name(name)):
        parent = parents[each]
        if (isinstance(parent, cst.Attribute) and parent.attr is each) or (
            isinstance(parent, cst.Arg) and parent.keyword is each
        ):
            continue
        context = contexts.get(each)
        if context is ExpressionContext.LOAD:
            reads.append(each)
        elif context is ExpressionContext.STORE and not assigned:
            assigned += 1
        else:
            return None
    return reads


def _find_place(node: Assignment, parents: Parents) -> tuple[cst.CSTNode, int] | None:
    """The block in which the assignment surely happens, and the number of its statement there."""
    current: cst.CSTNode = node
    while isinstance(node, cst.NamedExpr) and not isinstance(current, cst.If | cst.While | cst.BaseSmallStatement):
        parent = parents[current]
        first = (
            (isinstance(parent, cst.BooleanOperation | cst.Comparison) and parent.left is current)
            or isinstance(parent, cst.UnaryOperation | cst.Expr)
            or (isinstance(parent, cst.If | cst.While) and parent.test is current)
        )
        if not first:
            return None
        current = parent
    if isinstance(current, cst.If) and isinstance(parents[current], cst.If):
        return None  # an elif
    statement = parents[current] if isinstance(current, cst.BaseSmallStatement) else current
    block = parents.get(statement)
    if not isinstance(block, cst.IndentedBlock | cst.Module):
        return None
    return block, _find_index(block, statement)


def _stands_after(use: cst.CSTNode, block: cst.CSTNode, at: int, parents: Parents) -> bool:
    current = use
    while current in parents and parents[current] is not block:
        current = parents[current]
    return (
        current in parents and isinstance(block, cst.IndentedBlock | cst.Module) and _find_index(block, current) >= at
    )


def _find_index(block: cst.IndentedBlock | cst.Module, statement: cst.CSTNode) -> int:
    return next((at for at, each in enumerate(block.body) if each is statement), -1)


def _is_read(use: cst.CSTNode, known: Known, parents: Parents) -> bool:
    """Whether a literal may stand there: no `del`, no keyword's name, no text in a formatted text, no `f"{name=}"`."""
    current = parents[use]
    if isinstance(current, cst.Del | cst.AugAssign) or is_shown(use, parents.__getitem__):
        return False
    while isinstance(known.value, str) and not isinstance(current, cst.BaseStatement | cst.Module):
        if isinstance(current, cst.FormattedString):
            return False
        current = parents[current]
    return True
