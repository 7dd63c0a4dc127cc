"""Taking a flag out of a Python source: its calls become what they always answer, and the dead branches go.

What cannot be rewritten without changing what the program does is left and reported. Doing it twice changes nothing.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass

import libcst as cst
from libcst.metadata import MetadataWrapper, ParentNodeProvider

from switchover.adapters.flag_answers import Answer
from switchover.adapters.flag_calls import UNREADABLE, find_calls
from switchover.adapters.flag_constants import read_constants
from switchover.adapters.flag_inlining import Inlining
from switchover.adapters.flag_leftovers import remove_leftovers
from switchover.adapters.flag_receivers import find_receivers
from switchover.adapters.flag_remarks import Remark, move_remarks
from switchover.adapters.flag_rewriter import FlagRewriter
from switchover.errors import InputError

NOTHING_IMPORTED: Mapping[str, str] = {}
_PASSES = 20


@dataclass(frozen=True, slots=True)
class Removal:
    """A source without a flag. The lines of `changes` are those of the source before, all others of the new one.

    `left` are calls that still ask for it, with the reason; `remaining` is what a person may want to look at:
    names and functions that always give the same now, or that nothing in the file uses any more.
    """

    new_source: str
    changes: tuple[Remark, ...] = ()
    left: tuple[Remark, ...] = ()
    remaining: tuple[Remark, ...] = ()


@dataclass(frozen=True, slots=True)
class _Pass:
    source: str
    changes: tuple[Remark, ...]
    left: tuple[Remark, ...]
    constant: tuple[Remark, ...]


def remove_flag(
    source: str,
    key: str,
    answer: Answer,
    imported: Mapping[str, str] = NOTHING_IMPORTED,
    *,
    exports_imports: bool = False,
    outside: frozenset[str] = frozenset(),
) -> Removal:
    """The source without the flag `key`, which gives `answer` to everybody.

    `imported` are the imported names that stand for a text, as the module writes them. `exports_imports`: other
    modules may read what this one imports (an `__init__.py`), so no import is removed. `outside` are the names that
    other files take from this module, `*`: every public one; they stay. Raises `InputError` for a source that cannot be
    read.
    """
    try:
        first = _rewrite(source, key, answer, imported, outside)
        if first.source == source:
            return Removal(source, left=first.left)
        cleaned = remove_leftovers(source, first.source, exports_imports=exports_imports, outside=outside)
        last = first
        for _ in range(_PASSES):
            last = _rewrite(cleaned.source, key, answer, imported, outside)
            if last.source == cleaned.source:
                break
            cleaned = remove_leftovers(source, last.source, exports_imports=exports_imports, outside=outside)
        compile(cleaned.source, "<source>", "exec", dont_inherit=True)
    except (*UNREADABLE, cst.ParserSyntaxError, cst.CSTValidationError) as error:
        raise InputError(
            "the flag cannot be taken out of this source",
            expected="Python that can be parsed",
            found=" ".join(str(error).split()),
            next_step="correct the source, or take the flag out of it by hand",
        ) from error
    remaining = move_remarks(first.constant, source, cleaned.source)
    return Removal(
        cleaned.source, tuple(sorted(set(first.changes))), last.left, tuple(sorted({*remaining, *cleaned.remaining}))
    )


def _rewrite(source: str, key: str, answer: Answer, imported: Mapping[str, str], outside: frozenset[str]) -> _Pass:
    """One pass, repeated until every name that stands for a known value is known."""
    tree = ast.parse(source)
    constants = {**imported, **read_constants(tree)}
    sites = {call.place: call for call in find_calls(source, constants) if call.key == key}
    if not sites:
        return _Pass(source, (), (), ())
    wrapper = MetadataWrapper(cst.parse_module(source))
    receivers = find_receivers(tree)
    excluded: frozenset[cst.CSTNode] = frozenset()
    while True:
        inlining = Inlining(outside)
        while True:
            rewriter = FlagRewriter(sites, answer, receivers, inlining.names, frozenset(inlining.dropped))
            rewritten = wrapper.visit(rewriter)
            if not inlining.extend(wrapper, rewriter.assigned, excluded):
                break
        unsettled = _find_unsettled(wrapper, rewriter, inlining)
        if not unsettled:
            break
        excluded |= unsettled
    constant = (*rewriter.constant, *inlining.kept.values())
    unmet = (Remark(call.line, "it stands where it cannot be rewritten") for call in set(sites.values()) - rewriter.met)
    return _Pass(rewritten.code, tuple(rewriter.changes), tuple(sorted({*rewriter.refused, *unmet})), constant)


def _find_unsettled(wrapper: MetadataWrapper, rewriter: FlagRewriter, inlining: Inlining) -> frozenset[cst.CSTNode]:
    """The dropped assignments that a function which had to be left as it is still reads."""
    parents = wrapper.resolve(ParentNodeProvider)
    found: set[cst.CSTNode] = set()
    for use, assignment in inlining.owners.items():
        node = use
        while node in parents and node not in rewriter.restored:
            node = parents[node]
        if node in rewriter.restored and assignment in inlining.dropped:
            found.add(assignment)
    return frozenset(found)
