"""Names that are read by their text: what no look at the code can follow."""

from __future__ import annotations

from collections.abc import Callable

import libcst as cst
from libcst import matchers

_READERS = matchers.OneOf(
    *map(
        matchers.Name,
        ("eval", "exec", "locals", "globals", "f_locals", "f_globals", "_getframe", "currentframe"),
    )
)
# Of nothing they tell the names around them, of an argument those of that.
_TELLERS = matchers.OneOf(matchers.Name("vars"), matchers.Name("dir"))


def reads_names_by_text(region: cst.CSTNode) -> bool:
    """Whether something in it may read any name that is known there."""
    if matchers.findall(region, _READERS):
        return True
    told = matchers.findall(region, matchers.Call(func=_TELLERS, args=[matchers.AtLeastN(n=1)]))
    return len(matchers.findall(region, _TELLERS)) > len(told)


def names_in_query(region: cst.CSTNode, name: str) -> bool:
    """Whether a text in it names a local name as data frames do: `a == @name`."""
    texts = matchers.findall(region, matchers.SimpleString())
    return any(f"@{name}" in cst.ensure_type(each, cst.SimpleString).value for each in texts)


def is_shown(node: cst.CSTNode, parents: Callable[[cst.CSTNode], cst.CSTNode]) -> bool:
    """Whether it is part of what stands before the `=` in `f"{name=}"`, which is shown as it is written."""
    while not isinstance(node, cst.BaseStatement | cst.BaseSmallStatement | cst.Module):
        if isinstance(node, cst.FormattedStringExpression) and node.equal is not None:
            return True
        node = parents(node)
    return False
