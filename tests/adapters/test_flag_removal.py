from __future__ import annotations

from textwrap import dedent

import pytest

from switchover.adapters.flag_answers import Answer
from switchover.adapters.flag_removal import Removal, remove_flag
from switchover.errors import InputError

ON, OFF = Answer(value=True, variant="on"), Answer(value=False, variant="off")


def take_out(source: str, answer: Answer = ON) -> Removal:
    removal = remove_flag(dedent(source).lstrip("\n"), "x", answer)
    again = remove_flag(removal.new_source, "x", answer)
    assert again.new_source == removal.new_source
    assert again.left == removal.left
    return removal


def after(source: str, answer: Answer = ON) -> str:
    return take_out(source, answer).new_source


def text(source: str) -> str:
    return dedent(source).lstrip("\n")


CHOICE = """
    def pay(client):
        # Which checkout?
        if client.is_enabled("x"):  # the new one
            new()  # fast
            # done
        else:
            # the old one
            old()
        last()
"""


def test_the_branch_that_is_taken_stands_in_the_place_of_the_condition_with_its_comments() -> None:
    assert after(CHOICE, ON) == text("""
        def pay(client):
            # Which checkout?
            # the new one
            new()  # fast
            # done
            last()
    """)
    assert after(CHOICE, OFF) == text("""
        def pay(client):
            # Which checkout?
            # the old one
            old()
            last()
    """)


ELIF = """
    if a:
        one()
    elif client.is_enabled("x"):
        two()
    elif b:
        three()
    else:
        four()
"""


def test_a_chain_ends_where_the_flag_decides_and_skips_what_it_rules_out() -> None:
    assert after(ELIF, ON) == text("""
        if a:
            one()
        else:
            two()
    """)
    assert after(ELIF, OFF) == text("""
        if a:
            one()
        elif b:
            three()
        else:
            four()
    """)


@pytest.mark.parametrize(
    ("source", "on", "off"),
    [
        ('a = not client.is_enabled("x")', "a = False", "a = True"),
        ('a = b if client.is_enabled("x") else c', "a = b", "a = c"),
        ('a = (b or c if client.is_enabled("x") else d).e', "a = (b or c).e", "a = (d).e"),
        ('a = client.is_enabled("x") and b()', "a = b()", "a = False"),
        ('a = client.is_enabled("x") or b()', "a = True", "a = b()"),
        ('a = b() and client.is_enabled("x")', "a = b() and True", "a = b() and False"),
        ('a = b is None and client.is_enabled("x")', "a = b is None", "a = False"),
        ('f(client.with_flag("x", on=lambda: b or c, off=d) + 1)', "f((b or c) + 1)", "f(d() + 1)"),
        ('client.with_flag("x", new, old, context)', "new()", "old()"),
        ('a = client.with_flag("x", lambda b=1: b, lambda: 2)', "a = (lambda b=1: b)()", "a = 2"),
        ('a = [b for b in c if client.is_enabled("x") if b]', "a = [b for b in c if b]", "a = [b for b in c if False if b]"),  # noqa: E501 - as it is written
        ('a = client.variant("x") == "on"', "a = True", "a = False"),
        ('a = client.variant("x") in {"off", "other"}', "a = False", "a = True"),
        ('a = {"on": 1, "off": 2}[client.variant("x")]', 'a = {"on": 1, "off": 2}["on"]', 'a = {"on": 1, "off": 2}["off"]'),  # noqa: E501 - as it is written
        ("a = f\"{client.variant('x')}\"", "a = f\"{'on'}\"", "a = f\"{'off'}\""),
        ('a = client.is_enabled_detail("x").value', "a = True", "a = False"),
        ('a = client.is_enabled_detail("x", who).variant', 'a = "on"', 'a = "off"'),
        ('a = client.get_boolean_details("x", False).value', "a = True", "a = False"),
        ('a = ldclient.get().variation("x", Context.builder("a").set("b", 1).build(), False)', "a = True", "a = False"),
        ('a = client.percentage("x", 25, Context(user.id))', "a = True", "a = False"),
        ('client.is_enabled("x") and send()', "send()", ""),
        ('if client.is_enabled("x"): new()', "new()", ""),
        ('if ask() and client.is_enabled("x"): new()', "if ask(): new()", "ask()"),
        ('if ask() or client.is_enabled("x"): new()', "ask()\nnew()", "if ask(): new()"),
        ('if b.c and client.is_enabled("x"): new()', "if b.c: new()", ""),
        ('if not (client.is_enabled("x") and b): new()', "if not (b): new()", "new()"),
        ('if (c := client.is_enabled("x")): new(c)', "c = True\nnew(True)", "c = False"),
        ('while client.is_enabled("x"): step()', "while True: step()", ""),
        ('assert client.is_enabled("x"), "off"', "", 'assert False, "off"'),
    ],
)  # fmt: skip
def test_an_expression_becomes_what_it_always_gives(source: str, on: str, off: str) -> None:
    assert after(source, ON).strip() == on
    assert after(source, OFF).strip() == off


AWAITED = """
    async def pay(client):
        if await client.get_boolean_value_async("x", False):
            await new()
        a = (await client.get_boolean_details_async("x", False)).value
        return a
"""


def test_what_is_awaited_is_replaced_with_its_await() -> None:
    assert after(AWAITED) == text("""
        async def pay(client):
            await new()
            return True
    """)


EARLY = """
    def pay(client):
        if client.is_enabled("x"):
            return new()
        first()
        return old()
"""


def test_what_stands_behind_an_early_return_is_never_reached() -> None:
    assert after(EARLY, ON) == "def pay(client):\n    return new()\n"
    assert after(EARLY, OFF) == "def pay(client):\n    first()\n    return old()\n"


def test_a_name_that_is_assigned_once_is_followed_through_its_scope() -> None:
    source = """
        def pay(client):
            enabled = client.is_enabled("x")
            legacy = not enabled
            def inner():
                return 1 if enabled else 2
            if legacy:
                old()
            else:
                new(enabled, inner)
    """
    assert after(source) == text("""
        def pay(client):
            def inner():
                return 1
            new(True, inner)
    """)


@pytest.mark.parametrize(
    "body",
    [
        "a = client.is_enabled('x')\n    if b: a = c\n    if a: new()",
        "if b: a = client.is_enabled('x')\n    if a: new()",
        "for b in c:\n        if b: new(a)\n        a = client.is_enabled('x')",
        "a = client.is_enabled('x')\n    new(a)\n    del a",
    ],
)
def test_a_name_that_may_be_something_else_is_not_followed(body: str) -> None:
    removal = take_out(f"def pay(client, b, c):\n    {body}\n")
    assert removal.new_source == f"def pay(client, b, c):\n    {body}\n".replace("client.is_enabled('x')", "True")
    assert "`a` is True from here on" in removal.remaining[0].text


def test_a_public_name_of_the_module_stays_and_is_named() -> None:
    removal = take_out("NEW = client.is_enabled('x')\n_OLD = not NEW\nif _OLD:\n    old()\n")
    assert removal.new_source == "NEW = True\n"
    assert [each.text for each in removal.remaining] == [
        "`NEW` is True from here on; who reads it is not followed",
        "nothing in this file uses `NEW` any more",
    ]


def test_an_attribute_gets_the_value_and_is_named() -> None:
    removal = take_out("class A:\n    def __init__(self, client):\n        self.new = client.is_enabled('x')\n")
    assert removal.new_source.endswith("self.new = True\n")
    assert "`self.new` is True" in removal.remaining[0].text


def test_what_nothing_uses_any_more_goes_when_it_is_private_and_is_named_when_it_is_not() -> None:
    removal = take_out("""
        from shop import new, old  # the two
        from shop.other import (
            kept,
            gone,
        )
        import shop.prices

        _KEY = "x"
        KEY = "x"
        _LIMIT = read_limit()

        def _old_total(order):
            return old(order) + gone

        def old_total(order):
            return 1

        def total(order, client):
            context = Context(order.user)
            if client.is_enabled(_KEY, context) or client.is_enabled(KEY):
                return new(order) + kept
            return _old_total(order) + old_total(order) + shop.prices.first + _LIMIT
    """)
    assert removal.new_source == text("""
        from shop import new  # the two
        from shop.other import (
            kept,
        )
        KEY = "x"
        _LIMIT = read_limit()

        def old_total(order):
            return 1

        def total(order, client):
            return new(order) + kept
    """)
    assert [each.text for each in removal.remaining] == [
        "nothing in this file uses `KEY` any more",
        "nothing in this file uses `_LIMIT` any more",
        "nothing in this file uses `old_total` any more",
    ]


def test_what_is_exported_or_marked_stays() -> None:
    source = """
        from shop import a  # noqa: F401
        from shop import b, c as c
        __all__ = ["b"]
        if client.is_enabled("x"):
            new()
        else:
            old(a, b, c)
    """
    assert after(source) == text("""
        from shop import a  # noqa: F401
        from shop import b, c as c
        __all__ = ["b"]
        new()
    """)
    kept = remove_flag("from shop import a\nif client.is_enabled('x') or a: new()\n", "x", ON, exports_imports=True)
    assert kept.new_source == "from shop import a\nnew()\n"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("client.is_enabled('x', make_context(request))", "make_context(request)` may do something"),
        ("open_client().is_enabled('x')", "`open_client()` may do something"),
        ("client.is_enabled(*('x',))", None),
        ("client.is_enabled('x', **options)", "its arguments are unpacked"),
        ("config.get_value('x', 1)", "may be no client of flags"),
        ("client.get_value('x', 'text')", "the value True is not of the type that is asked for"),
        ("client.get_string_value('x', '')", "the value True is not of the type that is asked for"),
        ("detail = client.is_enabled_detail('x')", "its detail is used as a whole"),
        ("future = client.get_boolean_value_async('x', False)", "it is not awaited"),
        ("match client.variant('x'):\n    case 'on': new()", "match statement"),
        ("def f():\n    if client.is_enabled('x'): return\n    yield 1", "no generator any more"),
        ("def f():\n    if not client.is_enabled('x'): a = 1\n    return a", "a would be read without being assigned"),
        ("def f():\n    if not client.is_enabled('x'):\n        global a\n    a = 1", "a would not be declared"),
    ],
)
def test_what_cannot_be_rewritten_safely_is_left_with_the_reason(source: str, reason: str | None) -> None:
    removal = take_out(f"{source}\n")
    assert removal.new_source == f"{source}\n"
    if reason is not None:
        assert reason in removal.left[0].text


def test_values_of_every_json_type_are_written_out() -> None:
    value = {"a": [1, 2.5, None, True], "b": 'it\'s "quoted"'}
    assert (
        after('a = client.get_object_value("x", {})', Answer(value)).strip()
        == f"a = {{{chr(34)}a{chr(34)}: [1, 2.5, None, True], {chr(34)}b{chr(34)}: {value['b']!r}}}"
    )
    assert after('a = client.get_value("x", 1) ** 2', Answer(-1)).strip() == "a = (-1) ** 2"
    assert after('a = client.get_value("x", 1).real', Answer(1)).strip() == "a = (1).real"
    assert after('a = client.get_float_value("x", 1.0)', Answer(2)).strip() == "a = 2.0"
    assert after('a = client.get_value("x", "b")', Answer("c")).strip() == 'a = "c"'


def test_line_ends_tabs_and_what_is_not_touched_stay_as_they_are() -> None:
    source = "def f(client):\r\n\tif client.is_enabled('x'):\r\n\t\ta ( 1,2 )\r\n\telse:\r\n\t\tb()\r\n"
    assert remove_flag(source, "x", ON).new_source == "def f(client):\r\n\ta ( 1,2 )\r\n"


def test_another_flag_is_not_touched() -> None:
    source = "if client.is_enabled('y'): new()\n"
    assert take_out(source) == Removal(source)


def test_an_unknown_variant_leaves_the_question_for_its_name() -> None:
    removal = take_out('a = client.variant("x")\n', Answer(value=True))
    assert "nobody knows the variant's name" in removal.left[0].text


def test_an_emptied_block_goes_with_its_condition_and_no_effect_is_lost() -> None:
    source = """
        def f(client):
            if a:
                if client.is_enabled("x"):
                    new()
            if ask():
                if client.is_enabled("x"):
                    new()
            for b in c():
                assert not client.is_enabled("x")
    """
    assert after(source, OFF) == text("""
        def f(client):
            ask()
            for b in c():
                pass
    """)


def test_a_source_that_is_no_python_is_refused() -> None:
    with pytest.raises(InputError, match="cannot be taken out"):
        remove_flag("if client.is_enabled('x'", "x", ON)
