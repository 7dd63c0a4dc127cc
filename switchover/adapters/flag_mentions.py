"""What one Python file takes from others: names that must not go there, though nothing uses them there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

EVERYTHING = "*"
"""In place of a name: every public one."""
PACKAGE = ""
"""In place of a module: the package around the file, or one further up."""

_DOTTED = re.compile(r"[^\W\d]\w*(?:[.:][^\W\d]\w*)*")
_IMPORTERS = frozenset({"import_module", "__import__"})


@dataclass(slots=True)
class Mentions:
    """What a file says of others. Modules go by the last part of their name: where they lie is not always known.

    `taken` are modules with a name that is imported from them; `modules` are those that are known as a whole, of which
    any of `names` may be read.
    """

    taken: set[tuple[str, str]] = field(default_factory=set)
    modules: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)

    def list_taken(self, modules: frozenset[str]) -> frozenset[str]:
        """The names that the file may take from a module that goes by these names."""
        taken = {name for module, name in self.taken if module in modules}
        return frozenset(taken | self.names) if modules & self.modules else frozenset(taken)


def find_mentions(text: str) -> Mentions:
    """Read a file; one that is no Python may take whatever it names."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        words = set(re.findall(r"\w+", text))
        return Mentions(set(), words, words)
    mentions = Mentions()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            mentions.modules |= {alias.name.rpartition(".")[2] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = (node.module or PACKAGE).rpartition(".")[2]
            names = {alias.name for alias in node.names}
            mentions.taken |= {(module, name) for name in names}
            mentions.modules |= names
        elif isinstance(node, ast.Attribute):
            mentions.names.add(node.attr)
        elif isinstance(node, ast.Call):
            mentions.modules |= set(_list_imported_by_text(node))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            _read_text(node.value, mentions)
    return mentions


def _list_imported_by_text(call: ast.Call) -> Iterator[str]:
    name = getattr(call.func, "attr", getattr(call.func, "id", ""))
    if name in _IMPORTERS:
        for each in call.args:
            if isinstance(each, ast.Constant) and isinstance(each.value, str):
                yield each.value.rpartition(".")[2]


def _read_text(text: str, mentions: Mentions) -> None:
    """A text like `shop.pay.total`, as patches and entry points have them."""
    if _DOTTED.fullmatch(text):
        parts = re.split(r"[.:]", text)
        mentions.names.add(parts[-1])
        if len(parts) > 1:
            mentions.taken |= set(pairwise(parts))
            mentions.modules.add(parts[-1])
