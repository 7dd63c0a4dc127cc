"""Small random programs that ask for a flag, and a client of flags that they run with."""

# ruff: noqa: ARG002 - the calls of the client that programs are written for

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from hypothesis import strategies as st

MAX_STEPS = 400


class TooLongError(Exception):
    """A program that would not end."""


class NotHeldError(Exception):
    """What a program raises itself."""


@dataclass
class Client:
    """Answers every question for `checkout` with the same value, and everything else with the default."""

    value: bool

    @property
    def name(self) -> str:
        return "on" if self.value else "off"

    def is_enabled(self, key: str, context: object = None, *, default: bool = False) -> bool:
        return self.value if key == "checkout" else default

    def get_value(self, key: str, default: object, context: object = None) -> object:
        return self.value if key == "checkout" else default

    def get_boolean_value(self, flag_key: str, default: object, context: object = None) -> object:
        return self.value if flag_key == "checkout" else default

    def variant(self, key: str, context: object = None) -> str | None:
        return self.name if key == "checkout" else None

    def with_flag(
        self, key: str, on: Callable[[], object], off: Callable[[], object], context: object = None
    ) -> object:
        return on() if self.is_enabled(key) else off()


@dataclass
class World:
    """What the functions of a program do: they write down that they were called, and answer by a fixed plan."""

    answers: tuple[bool, ...]
    trace: list[object] = field(default_factory=list)
    asked: Iterator[int] = field(default_factory=itertools.count)

    def do(self, number: int) -> int:
        self._note(("do", number))
        return number

    def ask(self, number: int) -> bool:
        self._note(("ask", number))
        return self.answers[next(self.asked) % len(self.answers)]

    def get_value(self, key: str) -> bool:
        """Something else than a client of flags has methods of these names, too."""
        self._note(("get", key))
        return bool(self.answers[0])

    def is_enabled(self, key: str) -> bool:
        return self.get_value(key)

    def _note(self, what: object) -> None:
        self.trace.append(what)
        if len(self.trace) > MAX_STEPS:
            raise TooLongError


def run(source: str, client: Client, answers: tuple[bool, ...], taken: Sequence[str] = ()) -> list[object]:
    """Everything that a program did, with what it returned or raised at the end.

    `taken` are the names that another module imports from it.
    """
    world = World(answers)
    names: dict[str, object] = {"client": client, "queue": world, "do": world.do, "ask": world.ask}
    names["NotHeldError"] = NotHeldError
    try:
        exec(compile(source, "<program>", "exec"), names)  # noqa: S102 - our own program
        for name in taken:
            world.trace.append((name, callable(names[name])))
        result = names["main"]()  # type: ignore[operator]
        if hasattr(result, "__next__"):
            result = list(itertools.islice(result, MAX_STEPS))
        world.trace.append(("returned", result))
    except (AssertionError, NotHeldError, NameError, LookupError, ArithmeticError) as error:
        # A local name that is not bound raises the one, a global name the other error.
        world.trace.append(("raised", "NameError" if isinstance(error, NameError) else type(error).__name__))
    except TooLongError:
        world.trace.append("did not end")
    return world.trace


_NUMBERS = st.integers(0, 99)
_ASKS = st.sampled_from(
    [
        'client.is_enabled("checkout")',
        "client.is_enabled(CHECKOUT)",
        'client.is_enabled("checkout", None, default=True)',
        'client.get_value("checkout", False)',
        'client.get_boolean_value("checkout", False)',
        "client.get_boolean_value(flag_key=CHECKOUT, default=False)",
        '(client.variant("checkout") == "on")',
        '(client.variant("checkout") in ("on", "other"))',
        '(client.variant("checkout") != "off")',
        'client.with_flag("checkout", on=lambda: True, off=lambda: False)',
        "enabled",
        "_ENABLED",
        'bool(client.is_enabled("checkout"))',
        '(client.is_enabled("checkout") is True)',
    ]
)


def _expressions() -> st.SearchStrategy[str]:
    leaf = st.one_of(
        _ASKS,
        _ASKS,
        _NUMBERS.map("ask({})".format),
        _NUMBERS.map("do({})".format),
        st.sampled_from(["True", "False", "0", "items", "value"]),
        st.just('client.is_enabled("other")'),
        st.sampled_from(
            [
                'queue.get_value("next")',
                'queue.is_enabled("checkout")',
                'client.with_flag("other", lambda: do(1), lambda: do(2))',
                "list(lines)",
                "next(lines, 0)",
                "table[0]",
                'table["gone"]',
                "1 // table[0]",
                'f"{enabled=}"',
                "f\"{client.is_enabled('checkout')=}\"",
                *("first(1)", "_second()", "_THIRD"),
            ]
        ),
    )
    return st.recursive(
        leaf,
        lambda inner: st.one_of(
            st.tuples(inner, inner).map(lambda two: f"({two[0]} and {two[1]})"),
            st.tuples(inner, inner).map(lambda two: f"({two[0]} or {two[1]})"),
            st.tuples(inner, inner, inner).map(lambda three: f"{three[0]} and {three[1]} and {three[2]}"),
            st.tuples(inner, inner, inner).map(lambda three: f"{three[0]} or {three[1]} and {three[2]}"),
            inner.map("not {}".format),
            inner.map("(not {})".format),
            st.tuples(inner, inner, inner).map(lambda three: f"({three[0]} if {three[1]} else {three[2]})"),
            st.tuples(inner, inner).map(
                lambda two: f'client.with_flag("checkout", on=lambda: {two[0]}, off=lambda: {two[1]})'
            ),
            inner.map("[each for each in (1, 2, 3) if {} if do(each)]".format),
            inner.map("(walrus := ({}))".format),
        ),
        max_leaves=6,
    )


TAKEN = st.lists(st.sampled_from(["first", "_second", "_ENABLED"]), unique=True)
"""Names that another module may import from a program."""


def _indent(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def _statements(expressions: st.SearchStrategy[str]) -> st.SearchStrategy[list[str]]:
    simple = st.one_of(
        _NUMBERS.map(lambda number: [f"do({number})"]),
        expressions.map(lambda each: [f"do({each})"]),
        expressions.map(lambda each: [f"value = {each}"]),
        expressions.map(lambda each: [f"return ({each})"]),
        expressions.map(lambda each: [f"assert ({each})"]),
        expressions.map(lambda each: [f"({each})"]),
        st.just(["raise NotHeldError"]),
        st.just(["# a comment", "pass"]),
        expressions.map(lambda each: [f"late = {each}", "do(late)"]),
        st.just(["do(late)"]),
    )

    def nest(inner: st.SearchStrategy[list[str]]) -> st.SearchStrategy[list[str]]:
        block = st.lists(inner, min_size=1, max_size=3).map(
            lambda parts: _indent([line for part in parts for line in part])
        )
        return st.one_of(
            st.tuples(expressions, block).map(lambda two: [f"if {two[0]}:", *two[1]]),
            st.tuples(expressions, block, block).map(
                lambda each: [f"if {each[0]}:  # why", *each[1], "else:", *each[2]]
            ),
            st.tuples(expressions, block, expressions, block, block).map(
                lambda each: [f"if {each[0]}:", *each[1], f"elif {each[2]}:", *each[3], "else:", *each[4]]
            ),
            st.tuples(expressions, block, expressions, block).map(
                lambda each: [f"if {each[0]}:", *each[1], f"elif {each[2]}:", *each[3]]
            ),
            st.tuples(expressions, block, block).map(lambda each: [f"while {each[0]}:", *each[1], "else:", *each[2]]),
            st.tuples(expressions, block).map(
                lambda each: ["for each in (1, 2):", f"    if {each[0]}:", "        continue", *each[1]]
            ),
            block.map(lambda each: ["while ask(0):", *each, "    break"]),
            block.map(lambda each: ["try:", *each, "except NotHeldError:", "    do(100)", "finally:", "    do(101)"]),
            block.map(lambda each: ["try:", *each, "except (LookupError, ArithmeticError):", "    do(102)"]),
            block.map(lambda each: ["def inner():", *each, "do(inner())"]),
        )

    return st.recursive(simple, nest, max_leaves=6)


@st.composite
def programs(draw: st.DrawFn) -> str:
    """A module with a function `main` that takes some ways through the flag."""
    body = draw(st.lists(_statements(_expressions()), min_size=1, max_size=5))
    first = draw(
        st.sampled_from(
            [['enabled = client.is_enabled("checkout")'], ["enabled: bool = not client.is_enabled(CHECKOUT)"]]
        )
    )
    lines = [line for part in body for line in part]
    if draw(st.integers(0, 4)) == 0:
        lines.append(
            draw(st.sampled_from(['do(locals().get("enabled"))', 'do(eval("enabled"))', 'do(vars()["value"])']))
        )
    if draw(st.booleans()):
        lines.append(f"yield do({draw(_NUMBERS)})")
    head = [
        "from operator import truth as first",
        'CHECKOUT = "checkout"',
        '_ENABLED = client.is_enabled("checkout")',
        "items = []",
        f"lines, table = iter((3, 4)), {{0: {draw(st.integers(0, 1))}}}",
        draw(st.sampled_from(["_THIRD = 3", "_THIRD = do(3)", "_THIRD = table[0]"])),
        draw(st.sampled_from(["def _second(): return do(4)", "def _second(number=do(4)): return number"])),
        "",
    ]
    return "\n".join([*head, "def main():", *_indent(["value = 1", *first, *lines]), ""])
