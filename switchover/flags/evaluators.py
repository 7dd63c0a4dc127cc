"""`{"$ref": "name"}` anywhere in a flag stands for the set's evaluator of that name, which may use others.

The order of the evaluators does not matter. An evaluator that leads back to itself is not replaced there; what is
left is an operator that nobody knows, and the flag answers an error where it is reached.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from switchover.flags.expression import SCALARS
from switchover.flags.rule_site import MAX_NODES, RuleTooLargeError

REF: Final = "$ref"


def read_reference(node: object) -> str | None:
    """The name that a node stands for; None for any other node."""
    if not isinstance(node, dict) or len(node) != 1:
        return None
    name = node.get(REF)
    return name if isinstance(name, str) else None


def find_references(node: object) -> Iterator[str]:
    """The names that a node uses, in no particular order; at any depth."""
    waiting = [node]
    while waiting:
        found = waiting.pop()
        name = read_reference(found)
        if name is not None:
            yield name
        elif isinstance(found, dict):
            waiting.extend(found.values())
        elif isinstance(found, list):
            waiting.extend(found)


class Expansion:
    """Puts the evaluators of a set into one flag."""

    def __init__(self, evaluators: Mapping[str, object]) -> None:
        self._evaluators = evaluators
        self._made = 0

    def expand(self, node: object, inside: tuple[str, ...] = ()) -> object:
        """The node with its references replaced; it may share lists with the old one.

        Raises `RuleTooLargeError`: evaluators that use each other can multiply; RecursionError when too deep.
        """
        self._made += 1
        if self._made > MAX_NODES:
            raise RuleTooLargeError
        name = read_reference(node)
        if name is not None and name in self._evaluators and name not in inside:
            return self.expand(self._evaluators[name], (*inside, name))
        if isinstance(node, dict):
            return {key: self.expand(member, inside) for key, member in node.items()}
        if isinstance(node, list) and not all(type(item) in SCALARS for item in node):
            return [self.expand(item, inside) for item in node]
        return node


def find_affected(evaluators: Mapping[str, object], changed: set[str]) -> set[str]:
    """The evaluators that are changed or lead to a changed one."""
    uses = {name: set(find_references(rule)) for name, rule in evaluators.items()}
    affected = set(changed)
    while more := {name for name, used in uses.items() if name not in affected and used & affected}:
        affected |= more
    return affected
