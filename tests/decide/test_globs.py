from __future__ import annotations

import pytest

from switchover.decide.globs import expand_braces, is_understood, matches, select, select_by_pattern

NAMES = ("b", "a", "@acme/d", "@acme/e", "@acme", "g-h")


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("a", "a"),
        ("*", "b a @acme g-h"),
        ("**", "b a @acme/d @acme/e @acme g-h"),
        ("@acme/*", "@acme/d @acme/e"),
        ("@acme/**", "@acme/d @acme/e @acme"),
        ("**/d", "@acme/d"),
        ("{a,@acme/{d,e}}", "a @acme/d @acme/e"),
        ("{a}", ""),
        ("?", "b a"),
        ("[ab]", "b a"),
        ("[^a]", "b"),
        ("g*h", "g-h"),
        ("g-h*", "g-h"),
        ("a.", ""),
        ("!(@acme/*)", "b a @acme g-h"),
        ("!(a|g*)", "b @acme"),
        ("@acme/!(d)", "@acme/e"),
        ("g-!(h)", ""),
        ("@(a|b)", "b a"),
        ("@acme/@(d|x)", "@acme/d"),
        ("?(g-)h", "g-h"),
        ("+(a|b)", "b a"),
        ("*(g|-|h)", "g-h"),
    ],
)
def test_a_glob_matches_whole_names_and_a_star_stays_within_a_scope(pattern: str, found: str) -> None:
    assert [name for name in NAMES if matches(pattern, name)] == found.split()


def test_a_leading_dot_is_only_matched_by_a_dot() -> None:
    assert [matches(pattern, ".git") for pattern in ("*", "?git", "**", "[.]git", ".*")] == [
        False,
        False,
        False,
        True,
        True,
    ]


def test_what_an_exclamation_mark_takes_away_a_later_glob_brings_back() -> None:
    assert select(("**", "!@acme/*", "@acme/e"), NAMES) == ("b", "a", "@acme/e", "@acme", "g-h")
    assert select(("!a",), NAMES) == ()


def test_changesets_2_keeps_the_order_of_the_globs_and_takes_from_everything() -> None:
    assert select_by_pattern(("a", "b"), NAMES) == ("a", "b")
    assert select(("a", "b"), NAMES) == ("b", "a")
    assert select_by_pattern(("!a", "!@acme/*"), NAMES) == ("b", "@acme", "g-h")
    assert select_by_pattern(("!(a|@acme/*)",), NAMES) == ("b", "@acme", "g-h")
    assert select_by_pattern(("**", "!(a)"), NAMES) == ("b", "@acme/d", "@acme/e", "@acme", "g-h")


def test_braces_are_alternatives_unless_they_hold_no_comma() -> None:
    assert expand_braces("x{a,b{c,d}}/{e}") == ("xa/{e}", "xbc/{e}", "xbd/{e}")
    assert expand_braces("x{a") == ("x{a",)


@pytest.mark.parametrize("pattern", ["!(a)b", "@(a|(b))", "{1..3}", "a\\*"])
def test_what_only_shells_know_is_not_understood(pattern: str) -> None:
    assert not is_understood(pattern)
