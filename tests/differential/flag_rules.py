"""Random flags and contexts: every operator, every JSON type, right and wrong arguments, names that often meet."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from random import Random
from typing import Any

from switchover.flags.json_values import is_json

TEXTS = [
    "",
    "a",
    "b",
    "on",
    "off",
    "true",
    "1",
    "1.0",
    " 2 ",
    "é",
    "inf",
    "-Inf",
    "nan",
    "user-1",
    "length",
    "0",
    "ab,c",
]
VERSIONS = [
    "1.2.3",
    "v1.2",
    "2",
    "1.2.3-rc.1",
    "1.2.3+b.1",
    "V1.2.4",
    "1.2.3.4",
    "x.1",
    "01.2.3",
    "1.2-beta",
    "v",
    "1.",
]
INTEGERS = [-1, 0, 1, 2, 3, 10, 2**31 - 1, 2**31, 2**53 + 1, 2**63, 2**64, -(2**63) - 1, 10**30]
FLOATS = [-0.0, 0.0, 0.5, 1.0, 2.5, -1.5, 1e15, 1.8446744073709552e19, 1e300, math.nan, math.inf, -math.inf]
SIMPLE_PATHS = ["a", "b", "c", "n", "list", "targetingKey"]
PATHS = ["a.b", "list.0", "list.1.a", "list.length", "a.length", "list.01", "list.-1", "a.", "", "nowhere", "current"]
PATHS += ["accumulator", "current.a", "targetingKey.length", "targetingKey.0", "b.a", "b.c.0", "n.x", "1"]
WHOLE_PATHS = ["$flagd", "$flagd.flagKey", "$flagd.flagKey.0", "$flagd.timestamp", "$flagd.nothing"]
NAMES = ["a", "b", "c", "n", "list", "1", "b.c", "flagKey", "targetingKey", "$flagd"]
TARGETING_KEYS = ["", "user-1", "é", "x" * 23, "x" * 24, "ä" * 130, "x" * 255, "x" * 256, "x" * 70_000, "\ud800", None]
VARIANTS = ["on", "off", "true", "false", "1", "1.0", "a", "None", "[]", "{}", "['on']"]
VALUES = {
    "on": True,
    "off": False,
    "true": "yes",
    "false": 0,
    "1": 1,
    "1.0": 2.5,
    "a": [1],
    "None": {"x": 1},
    "b": None,
}
EVALUATORS = ["first", "second", "third"]

COMPARISONS = ["==", "!=", "===", "!==", "<", ">", "<=", ">="]
EAGER = [*COMPARISONS, "!", "!!", "+", "*", "-", "/", "%", "in", "min", "max", "cat", "substr", "merge", "log"]
EAGER += ["missing", "missing_some", "starts_with", "ends_with", "sem_ver"]
LISTS = ["map", "filter", "all", "some", "none"]
WRONG = ["nobody", "var.x", "in.x", "if.x", ".", "", "fractional.a", "map.a", "$ref"]


class Rules:
    """Draws from a seed. Every method named after what it draws."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)  # noqa: S311 - the same seed, the same rules

    def scalar(self) -> Any:
        pick = self.random.choice
        return pick(
            [
                None,
                True,
                False,
                pick(TEXTS),
                pick(TEXTS),
                pick(VERSIONS),
                pick(INTEGERS),
                pick(FLOATS),
                pick(INTEGERS[:6]),
            ]
        )

    def value(self, depth: int = 2) -> Any:
        kind = self.random.random()
        if depth == 0 or kind < 0.6:
            return self.scalar()
        if kind < 0.8:
            return [self.value(depth - 1) for _ in range(self.random.randint(0, 3))]
        return {self.random.choice(NAMES): self.value(depth - 1) for _ in range(self.random.randint(0, 3))}

    def storable(self) -> Any:
        """A value that JSON has: no NaN, which Python's flagd would take as a variant."""
        while not is_json(value := self.value()):
            pass
        return value

    def var(self) -> Any:
        paths = self.random.choices([SIMPLE_PATHS, PATHS, WHOLE_PATHS, [0, 1, 2, -1, True, 0.5, None]], [60, 25, 5, 5])[
            0
        ]
        path = self.random.choice(paths)
        kind = self.random.random()
        if kind < 0.75:
            return {"var": path}
        return {"var": [path, self.scalar()] if kind < 0.97 else [path, 1, 2]}

    def node(self, depth: int) -> Any:
        kind = self.random.random()
        if depth == 0 or kind < 0.35:
            return self.var() if self.random.random() < 0.55 else self.scalar()
        if kind < 0.42:
            return [self.node(depth - 1) for _ in range(self.random.randint(0, 3))]
        if kind < 0.45:
            return self.value()
        return self.operation(depth - 1)

    def some(self, depth: int, least: int = 0, most: int = 4) -> list[Any]:
        return [self.node(depth) for _ in range(self.random.randint(least, most))]

    def operation(self, depth: int) -> Any:
        kinds: list[tuple[Callable[[int], Any], int]] = [
            (self._eager, 30),
            (self._membership, 8),
            (self._comparison, 8),
            (self._version, 6),
            (self.fractional, 10),
            (self._junction, 10),
            (self._if, 10),
            (self._list, 10),
            (self._reduce, 6),
            (self._loose, 4),
            (lambda _: {"$ref": self.random.choice(EVALUATORS)}, 3),
            (lambda deep: {self.random.choice(WRONG): self.some(deep)}, 1),
        ]
        return self.random.choices([kind for kind, _ in kinds], [weight for _, weight in kinds])[0](depth)

    def _eager(self, depth: int) -> Any:
        return {self.random.choice(EAGER): self.some(depth, 2, 2) if self.random.random() < 0.7 else self.some(depth)}

    def _loose(self, depth: int) -> Any:
        """Not even a list of arguments, or too few and too many of them."""
        name = self.random.choice([*EAGER, *LISTS, "reduce", "and", "or", "if", "?:", "var", "fractional"])
        return {name: self.node(depth) if self.random.random() < 0.5 else self.some(depth, 0, 5)}

    def _membership(self, depth: int) -> Any:
        return {"in": [self.node(depth), [self.scalar() for _ in range(self.random.randint(0, 5))]]}

    def _comparison(self, depth: int) -> Any:
        name = self.random.choice([*COMPARISONS, "starts_with", "ends_with"])
        sides = [self.var(), self.scalar() if self.random.random() < 0.7 else self.node(depth)]
        return {name: sides if self.random.random() < 0.8 else sides[::-1]}

    def _version(self, depth: int) -> Any:
        sign = self.random.choice(["=", "!=", "<", "<=", ">", ">=", "^", "~", "?", None, {"var": "a"}])
        sides = [self.random.choice([{"var": "c"}, self.random.choice(VERSIONS), self.node(depth)]) for _ in range(2)]
        return {"sem_ver": [sides[0], sign, sides[1]]}

    def fraction(self, depth: int) -> Any:
        kind = self.random.random()
        if kind < 0.8:
            return [self.random.choice(VARIANTS[:8]), self.random.randint(0, 100)]
        if kind < 0.85:
            return [self.random.choice(VARIANTS)]
        weight = self.random.choice(
            [-5, 0, 2**31 - 1, 2**31, 1.0, True, "1", None, {"var": "n"}, {"+": [{"var": "n"}, 1]}]
        )
        return self.random.choice([[self.node(depth), weight], [self.node(depth), 50], self.some(depth, 0, 3)])

    def fractional(self, depth: int) -> Any:
        parts = [self.fraction(depth) for _ in range(self.random.randint(1, 4))]
        by = [] if self.random.random() < 0.5 else [self.node(depth)]
        return {"fractional": [*by, *parts]}

    def _junction(self, depth: int) -> Any:
        return {self.random.choice(["and", "or"]): self.some(depth, 0, 4)}

    def _if(self, depth: int) -> Any:
        return {self.random.choice(["if", "if", "?:"]): self.some(depth, 0, 5)}

    def _items(self, depth: int) -> Any:
        return self.random.choice([{"var": "list"}, {"var": "list"}, self.node(depth), self.some(depth), {"var": ""}])

    def _list(self, depth: int) -> Any:
        return {self.random.choice(LISTS): [self._items(depth), self.node(depth)]}

    def _reduce(self, depth: int) -> Any:
        combined = {
            self.random.choice(["+", "cat", "merge", "max", "==", "and", "or"]): [
                {"var": "accumulator"},
                {"var": "current"},
            ]
        }
        return {"reduce": [self._items(depth), self.random.choice([combined, self.node(depth)]), self.value()]}

    def outcome(self, depth: int) -> Any:
        kind = self.random.random()
        if kind < 0.4:
            return self.random.choice(VARIANTS[:8])
        if kind < 0.65:
            return self.fractional(depth)
        return self.chain(depth - 1) if kind < 0.8 and depth else self.node(depth)

    def chain(self, depth: int) -> Any:
        parts = [part for _ in range(self.random.randint(1, 3)) for part in (self.node(depth), self.outcome(depth))]
        return {"if": parts + [self.outcome(depth)] * (self.random.random() < 0.8)}

    def targeting(self) -> Any:
        kind = self.random.random()
        if kind < 0.7:
            return self.chain(2)
        if kind < 0.8:
            return self.fractional(1)
        return (
            self.operation(2) if kind < 0.95 else self.random.choice([{}, None, [], 0, "", "x", [1], {"a": 1, "b": 2}])
        )

    def flag(self) -> dict[str, Any]:
        flag: dict[str, Any] = {"state": "DISABLED" if self.random.random() < 0.03 else "ENABLED"}
        flag["variants"] = (
            VALUES
            if self.random.random() < 0.8
            else {name: self.storable() for name in self.random.sample(VARIANTS, 3)}
        )
        if self.random.random() < 0.9:
            odd = self.random.random() < 0.2
            flag["defaultVariant"] = self.random.choice(
                ["", None, True, False, 0, 0.0, "zz", "b"] if odd else VARIANTS[:8]
            )
        if self.random.random() < 0.95:
            flag["targeting"] = self.targeting()
        if self.random.random() < 0.3:
            flag["metadata"] = {self.random.choice(["owner", "team"]): self.random.choice(["x", 1, 2.5, True, ""])}
        return flag

    def document(self, flags: int) -> str:
        """A set in the flagd schema. An evaluator uses only those that stand after it."""
        evaluators: dict[str, Any] = {}
        for position, name in enumerate(EVALUATORS):
            rule = self.operation(2) if self.random.random() < 0.95 else self.value()
            text = json.dumps(rule)
            # Python's flagd pastes evaluators as a pattern: it cannot take a backslash, and follows the order.
            backward = any(f'"$ref": "{other}"' in text for other in EVALUATORS[: position + 1])
            evaluators[name] = {"var": "a"} if "\\" in text or backward else rule
        keys = ["a", "checkout", "é", "x" * 30, "y" * 300, *(f"flag-{index}" for index in range(flags))][:flags]
        metadata = {"team": "y", "version": 2} if self.random.random() < 0.3 else {}
        return json.dumps(
            {"flags": {key: self.flag() for key in keys}, "$evaluators": evaluators, "metadata": metadata}
        )

    def context(self) -> tuple[Any, dict[str, Any]]:
        """A targeting key and attributes."""
        key = (
            self.random.choice(TARGETING_KEYS) if self.random.random() < 0.3 else f"user-{self.random.randint(0, 999)}"
        )
        attributes: dict[str, Any] = {
            name: self.value() for name in self.random.sample(NAMES, self.random.randint(0, 4))
        }
        if self.random.random() < 0.7:
            attributes |= {"a": self.scalar(), "c": self.random.choice(VERSIONS), "n": self.random.choice(INTEGERS[:6])}
            attributes["list"] = [self.value() for _ in range(self.random.randint(0, 4))]
        return key, attributes
