"""Definitions that nothing uses: which of them only define, so that nobody misses them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import libcst as cst
from libcst import matchers
from libcst.metadata import MetadataWrapper, ParentNodeProvider

from switchover.adapters.flag_effects import Effects, catches
from switchover.adapters.flag_receivers import Receivers

# Decorators that only wrap what they are given.
_WRAPPERS = frozenset({"classmethod", "property", "staticmethod"})
_DOES_SOMETHING = matchers.Call() | matchers.NamedExpr() | matchers.Await() | matchers.Yield()


def may_go(
    name: tuple[str, ...], node: cst.CSTNode, wrapper: MetadataWrapper, receivers: Receivers, *, exports_imports: bool
) -> bool:
    """Whether it is nobody else's, and does nothing where it is defined."""
    private = len(name) > 1 or (name[-1].startswith("_") and not name[-1].startswith("__"))
    if isinstance(node, cst.ImportAlias):
        reexported = exports_imports or (node.asname is not None and node.evaluated_alias == node.evaluated_name)
        return not reexported and not _is_marked(node, wrapper)
    effects = Effects(receivers, _count_guards(node, wrapper))
    return private and _only_defines(node, effects)


def climb(node: cst.CSTNode, parents: Mapping[cst.CSTNode, cst.CSTNode]) -> Iterator[cst.CSTNode]:
    """Everything around it, from the inside."""
    while node in parents:
        node = parents[node]
        yield node


def _only_defines(node: cst.CSTNode, effects: Effects) -> bool:
    if isinstance(node, cst.FunctionDef):
        return not node.decorators and _has_quiet_head(node, effects)
    if isinstance(node, cst.ClassDef):
        quiet = not (node.decorators or node.bases or node.keywords)
        return quiet and all(_is_quiet_member(each, effects) for each in node.body.body)
    if isinstance(node, cst.Assign):
        return effects.is_harmless(node.value)
    if isinstance(node, cst.AnnAssign):
        return _is_quiet_type(node.annotation) and (node.value is None or effects.is_harmless(node.value))
    return False


def _has_quiet_head(function: cst.FunctionDef, effects: Effects) -> bool:
    parameters = matchers.findall(function.params, matchers.Param())
    defaults = [cst.ensure_type(each, cst.Param).default for each in parameters]
    types = [cst.ensure_type(each, cst.Param).annotation for each in parameters]
    return all(each is None or effects.is_harmless(each) for each in defaults) and all(
        each is None or _is_quiet_type(each) for each in (*types, function.returns)
    )


def _is_quiet_type(annotation: cst.Annotation) -> bool:
    return not matchers.findall(annotation, _DOES_SOMETHING)


def _is_quiet_member(member: cst.CSTNode, effects: Effects) -> bool:
    """Whether a statement in a class only gives it something."""
    if isinstance(member, cst.SimpleStatementLine):
        return all(_is_quiet_member(each, effects) for each in member.body)
    if isinstance(member, cst.Expr):
        return effects.is_harmless(member.value)
    if isinstance(member, cst.Assign):
        plain = all(isinstance(each.target, cst.Name) for each in member.targets)
        return plain and effects.is_harmless(member.value)
    if isinstance(member, cst.FunctionDef):
        wrapped = (each.decorator for each in member.decorators)
        plain = all(isinstance(each, cst.Name) and each.value in _WRAPPERS for each in wrapped)
        return plain and _has_quiet_head(member, effects)
    return isinstance(member, cst.Pass) or _only_defines(member, effects)


def _is_marked(alias: cst.ImportAlias, wrapper: MetadataWrapper) -> bool:
    """Whether the line of the import says that it is there on purpose."""
    line = next(
        each for each in climb(alias, wrapper.resolve(ParentNodeProvider)) if isinstance(each, cst.SimpleStatementLine)
    )
    comment = line.trailing_whitespace.comment
    return comment is not None and "noqa" in comment.value


def _count_guards(node: cst.CSTNode, wrapper: MetadataWrapper) -> int:
    """How many statements around it would catch an error of it."""
    parents = wrapper.resolve(ParentNodeProvider)
    inner, count = node, 0
    for around in climb(node, parents):
        count += catches(around) and getattr(around, "body", None) is inner
        inner = around
    return count
