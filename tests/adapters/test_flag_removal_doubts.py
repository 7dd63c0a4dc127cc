"""Where taking a flag out might change what the program does, it leaves the code and says why."""

from __future__ import annotations

from textwrap import dedent

import pytest

from switchover.adapters.flag_answers import Answer
from switchover.adapters.flag_removal import Removal, remove_flag

ON, OFF = Answer(value=True, variant="on"), Answer(value=False, variant="off")


def take_out(source: str, answer: Answer, *outside: str) -> Removal:
    removal = remove_flag(text(source), "x", answer, outside=frozenset(outside))
    again = remove_flag(removal.new_source, "x", answer, outside=frozenset(outside))
    assert again.new_source == removal.new_source
    return removal


def text(source: str) -> str:
    return dedent(source).lstrip("\n")


@pytest.mark.parametrize(
    "expression",
    [
        'client.with_flag("other", save, save)',
        'queue.get_value("next")',
        'http_client.get_value("next")',
        'tracker.percentage("x")',
        "list(lines)",
        "tuple(lines)",
        "dict(pairs)",
        "frozenset(lines)",
        'table["x"]',
        "1 / number",
        "total % number",
        "int(typed)",
        "first >> second",
    ],
)
def test_what_may_do_something_or_fail_is_still_evaluated(expression: str) -> None:
    source = f'if {expression} and client.is_enabled("x"):\n    new()\n'
    assert take_out(source, OFF).new_source == f"{expression}\n"
    assert take_out(source, ON).new_source == f"if {expression}:\n    new()\n"
    argument = f'client.is_enabled("x", {expression})\n'
    assert "may do something" in take_out(argument, ON).left[0].text


@pytest.mark.parametrize("expression", ["list((1, 2))", "dict(a=1)", 'client.is_enabled("other")', "int('3')"])
def test_what_only_gives_a_value_is_not(expression: str) -> None:
    assert take_out(f'if {expression} and client.is_enabled("x"): new()\n', OFF).new_source.strip() == ""


@pytest.mark.parametrize("expression", ["user.plan", "a < b", "a + b", "len(a)", "a in b"])
@pytest.mark.parametrize(
    ("head", "tail", "kept"),
    [
        ("try:", "except AttributeError:\n    old()\n", True),
        ("try:", "except (KeyError, TypeError):\n    old()\n", True),
        ("try:", "except:\n    old()\n", True),
        ("try:", "except ERRORS:\n    old()\n", True),
        ("with contextlib.suppress(Exception):", "", True),
        ("try:", "except PaymentError:\n    old()\n", False),
        ("try:", "finally:\n    old()\n", False),
        ("with lock:", "", False),
    ],
)
def test_what_mostly_does_not_fail_is_evaluated_where_a_failure_would_be_caught(
    expression: str, head: str, tail: str, *, kept: bool
) -> None:
    source = f'{head}\n    if {expression} and client.is_enabled("x"): new()\n{tail}'
    left = expression if kept else "pass"
    assert take_out(source, OFF).new_source == f"{head}\n    {left}\n{tail}"


def test_a_client_that_is_an_attribute_is_no_reason_to_leave_a_call_in_a_try() -> None:
    source = "try:\n    if self.flags.is_enabled('x'): new()\nexcept Exception:\n    old()\n"
    assert "is_enabled" not in take_out(source, ON).new_source


@pytest.mark.parametrize(
    "source",
    [
        "import openfeature\nif prefs.is_enabled('x'): new()",
        "from switchover.flags import Client\nif settings.get_value('x', True): new()",
        "import redis\nclient = redis.Redis()\nclient.get_value('x')",
        "import redis\nredis.client.get_value('x')",
        "http_client.get_value('x')",
        "flags.get_value('a').get_value('x')",
        "flags['a'].get_value('x')",
        "boto3.client('ssm').get_value('x')",
        "flags = os.environ.copy()\nflags.get_value('x')",
        "from switchover.flags import rules\nrules.percentage('x', 3)",
    ],
)
def test_a_question_of_a_common_name_to_what_may_be_something_else_is_left(source: str) -> None:
    removal = take_out(f"{source}\n", ON)
    assert removal.new_source == f"{source}\n"
    assert "may be no client of flags" in removal.left[0].text


@pytest.mark.parametrize(
    "source",
    [
        "from switchover.flags import open_client\nasked = open_client('memory:')\na = asked.get_value('x', True)",
        "import switchover.flags\nasked = switchover.flags.open_client('memory:')\na = asked.is_enabled('x')",
        "from switchover.flags import Client\ndef f(asked: Client): return asked.is_enabled('x')",
        "from switchover.flags import Client\ndef f(asked: 'Client | None'): return asked.is_enabled('x')",
        "import ldclient\nasked = ldclient.get()\na = asked.variation('x', user, False)",
        "from switchover.flags import open_client\nwith open_client('memory:') as asked: a = asked.is_enabled('x')",
        "class A:\n    def f(self, flags): self._flags = flags\n    def g(self): return self._flags.is_enabled('x')",
        "client = None\ndef f():\n    global client\n    client = get_client()\na = client.is_enabled('x')",
    ],
)  # fmt: skip
def test_what_is_surely_a_client_is_asked_no_more(source: str) -> None:
    removal = take_out(f"{source}\n", ON)
    assert removal.left == ()
    assert "'x'" not in removal.new_source


def test_two_questions_that_begin_at_one_place_are_told_apart() -> None:
    removal = take_out("a = flags.get_object_value('a', {}).get_string_value('x', '')\n", Answer("b", "b"))
    assert "may be no client of flags" in removal.left[0].text
    assert take_out("a = (flags.get_value('x', 'c')).get_value('y')\n", Answer("b", "b")).new_source == (
        "a = (\"b\").get_value('y')\n"
    )


@pytest.mark.parametrize(
    "source",
    [
        "KEY = 'x'\nclass A:\n    KEY = 'y'\n    new = client.is_enabled(KEY)\n",
        "class A:\n    KEY = 'x'\n    KEY = read()\na = client.is_enabled(A.KEY)\n",
        "class A:\n    KEY = 'x'\nA.KEY = read()\na = client.is_enabled(A.KEY)\n",
        "KEY = 'x'\nfrom other import *\na = client.is_enabled(KEY)\n",
    ],
)
def test_a_constant_that_may_stand_for_something_else_is_not_followed(source: str) -> None:
    assert take_out(source, ON) == Removal(source)


@pytest.mark.parametrize(
    "use",
    [
        '"{enabled}".format(**locals())',
        'eval("enabled")',
        'exec("print(enabled)")',
        '"%(enabled)s" % vars()',
        "sys._getframe().f_locals",
        'frame.query("a == @enabled")',
        "f'{enabled=}'",
        "f'{not enabled=}'",
    ],
)
def test_a_name_that_is_read_by_its_text_keeps_its_assignment(use: str) -> None:
    source = f"def f(client, frame):\n    enabled = client.is_enabled('x')\n    return {use}\n"
    assert take_out(source, ON).new_source == source.replace("client.is_enabled('x')", "True")


def test_a_question_that_is_shown_with_its_text_is_left() -> None:
    removal = take_out("a = f\"{client.is_enabled('x')=}\"\n", ON)
    assert "its text is shown" in removal.left[0].text


READ_BY_TEXT = """
    from shop import old

    def _old():
        return 1

    def f(client):
        limit = 3
        if client.is_enabled("x"):
            return new({use})
        return old(_old(), limit)
"""


def test_what_only_a_text_may_still_read_stays_and_is_named() -> None:
    removal = take_out(READ_BY_TEXT.replace("{use}", "locals()"), ON)
    assert removal.new_source == text("""
        from shop import old

        def _old():
            return 1

        def f(client):
            limit = 3
            return new(locals())
    """)
    assert [each.text for each in removal.remaining] == [
        "nothing in this file uses `old` any more",
        "nothing in this file uses `_old` any more",
        "nothing in this file uses `f.limit` any more",
    ]
    gone = take_out(READ_BY_TEXT.replace("{use}", "vars(client)"), ON).new_source
    assert gone.lstrip() == "def f(client):\n    return new(vars(client))\n"


def test_what_other_files_take_from_this_one_stays_and_is_named() -> None:
    source = """
        from shop import first, second
        _ON = client.is_enabled("x")

        def _old():
            return 1

        def f():
            return 2 if _ON else first(second, _old())
    """
    removal = take_out(source, ON, "first", "_old", "_ON")
    assert removal.new_source == text("""
        from shop import first
        _ON = True

        def _old():
            return 1

        def f():
            return 2
    """)
    assert [each.text for each in removal.remaining] == [
        "nothing in this file uses `first` any more, but another file takes it from here",
        "`_ON` is True from here on; who reads it is not followed",
        "nothing in this file uses `_ON` any more, but another file takes it from here",
        "nothing in this file uses `_old` any more, but another file takes it from here",
        "returns 2 whenever it comes here; callers are not followed",
    ]
    assert take_out(source, ON, "*").new_source.startswith("from shop import first, second\n\ndef f")


@pytest.mark.parametrize(
    "definition",
    [
        "def _old(a=make()): pass",
        "def _old(a: make() = 1): pass",
        "def _old() -> make(): pass",
        "class _old:\n    register()",
        "class _old:\n    a = make()",
        "class _old:\n    @mark()\n    def f(self): pass",
        "class _old:\n    for a in b: pass",
        "_old = 1 / number",
        "_old: make() = 1",
    ],
)
def test_a_definition_that_does_something_itself_stays_and_is_named(definition: str) -> None:
    removal = take_out(f"{definition}\nif client.is_enabled('x'):\n    new()\nelse:\n    old(_old)\n", ON)
    assert removal.new_source == f"{definition}\nnew()\n"
    assert [each.text for each in removal.remaining] == ["nothing in this file uses `_old` any more"]


@pytest.mark.parametrize(
    "definition",
    [
        "def _old(a: dict[str, int] = None) -> list[int]: pass",
        'class _old:\n    """Old."""\n    a: int = 1\n    @property\n    def f(self): return make()',
    ],
)
def test_a_definition_that_only_defines_goes(definition: str) -> None:
    source = f"{definition}\nif client.is_enabled('x'):\n    new()\nelse:\n    old(_old)\n"
    assert take_out(source, ON).new_source == "new()\n"


@pytest.mark.parametrize("head", ["def f(client):\n    ", "class A:\n    ", ""])
def test_no_text_becomes_a_docstring(head: str) -> None:
    inner = " " * 4 * bool(head)
    source = f"{head}if client.is_enabled('x'):\n{inner}    'a note'\n{inner}    new()\n"
    assert take_out(source, ON).new_source == f"{head}new()\n"
    documented = f"{head}'Why.'\n{inner}if client.is_enabled('x'):\n{inner}    'a note'\n{inner}    new()\n"
    assert take_out(documented, ON).new_source == f"{head}'Why.'\n{inner}'a note'\n{inner}new()\n"


def test_no_text_becomes_a_docstring_when_what_stood_before_it_goes() -> None:
    assert (
        take_out("from shop import old\n'a note'\nif not client.is_enabled('x'): old()\n", ON).new_source.strip() == ""
    )


def test_what_is_left_is_named_at_its_new_line_and_only_where_it_is_still_there() -> None:
    shown = "lambda: f\"{client.is_enabled('x')=}\""
    source = f"if client.is_enabled('x'):\n    new()\nelse:\n    client.with_flag('x', {shown}, {shown})\n"
    assert take_out(source, ON).left == ()
    (left,) = take_out(source, OFF).left
    assert left.line == 1
