"""`switchover flags stale` and `remove`, on real files of code."""

from __future__ import annotations

from pathlib import Path

import pytest

from switchover.cli.flags_render_debt import render_debt
from switchover.flags.hygiene import Finding, FindingKind, Reference
from switchover.operations.flag_debt import DebtReport
from tests.cli.test_flags import Flags

_CODE = """\
def page(client):
    if client.is_enabled("checkout"):
        return "new"
    else:
        return "old"
"""


@pytest.fixture
def shop(tmp_path: Path) -> Flags:
    """Two flags, one of which `shop.py` asks for."""
    made = Flags(f"file:{tmp_path / 'flags.json'}")
    made.done("set", "checkout", "--default", "on", "--expires", "2020-01-31")
    made.done("set", "forgotten", "--owner", "search")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "shop.py").write_text(_CODE)
    return made


def test_what_can_go_is_shown_with_the_places_that_ask_for_it(shop: Flags, tmp_path: Path) -> None:
    shown = shop.done("stale", "--days", "0", "--source", str(tmp_path / "src"))
    assert "expired on 2020-01-31" in shown
    assert "shop.py:2" in shown
    assert "no call in the code names it" in shown
    assert "looked at: flags 2, Python files 1" in shown
    assert "next: `switchover flags set checkout --owner TEAM`" in shown
    assert [line for line in shown.splitlines() if line and not line.startswith(" ")] == [
        "checkout",
        "forgotten (owner: search)",
        "looked at: flags 2, Python files 1",
    ]
    findings = shop.run("stale", "--days", "0", "--source", str(tmp_path / "src"), "--json").json["findings"]
    assert ("forgotten", "unused in code") in {(each["flag"], each["kind"]) for each in findings}


def test_what_can_go_is_no_wider_than_the_terminal_asked_for() -> None:
    asked = tuple(Reference("a/folder/of/code.py", line, "is_enabled", "old", "'old'") for line in range(9))
    advice = "look whether its code still runs, then `switchover flags remove old --value on`"
    finding = Finding("old", FindingKind.EXPIRED, "expired on 2020-01-31", advice, 99, "team", asked)
    shown = render_debt(DebtReport((finding,), 1, 1, (), ()), 60)
    assert max(len(line) for line in shown.splitlines()) <= 60
    assert advice in " ".join(shown.split())
    assert "and 4 more" in " ".join(shown.split())


def test_a_flag_leaves_the_code_and_then_the_set(shop: Flags, tmp_path: Path) -> None:
    source = ("--source", str(tmp_path / "src"))
    shown = shop.done("remove", "checkout", "--value", "on", *source)
    assert "-    if client.is_enabled" in shown
    assert "nothing was written: --write rewrites 1 file" in shown
    assert (tmp_path / "src" / "shop.py").read_text() == _CODE
    assert "shop.py:2" in shop.refused("remove", "checkout", "--why", "rolled out", *source)
    assert "1 file rewritten" in shop.done("remove", "checkout", "--value", "on", "--write", *source)
    rewritten = (tmp_path / "src" / "shop.py").read_text()
    assert "is_enabled" not in rewritten
    assert "old" not in rewritten
    assert "checkout: gone" in shop.done("remove", "checkout", "--why", "rolled out", *source)
    assert [each["key"] for each in shop.run("list", "--json").json["flags"]] == ["forgotten"]


def test_a_dry_run_writes_no_file(shop: Flags, tmp_path: Path) -> None:
    source = ("--source", str(tmp_path / "src"))
    shop.done("remove", "checkout", "--value", "on", "--write", "--dry-run", *source)
    assert (tmp_path / "src" / "shop.py").read_text() == _CODE


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("def f():\n    return client.is_enabled('checkout')\n    return a b\n", "not looked at"),
        ("if client.is_enabled('checkout'):\n    return 1\n", "could not be rewritten"),
        ("queue.get_value('checkout')\n", "may be no client of flags"),
    ],
)
def test_a_removal_that_leaves_a_question_fails_and_says_so(shop: Flags, tmp_path: Path, code: str, said: str) -> None:
    (tmp_path / "src" / "other.py").write_text(code)
    source = ("--source", str(tmp_path / "src"))
    made = shop.run("remove", "checkout", "--value", "on", "--write", *source)
    assert made.status == 1
    assert said in made.out
    assert "when that is deployed" not in made.out
    assert "1 file rewritten" in made.out
    assert "other.py" in shop.refused("remove", "checkout", "--why", "rolled out", *source)
    assert "checkout: gone" in shop.done("remove", "checkout", "--why", "rolled out", "--still-asked", *source)


def test_a_computed_key_is_named_when_a_flag_leaves_the_set(shop: Flags, tmp_path: Path) -> None:
    (tmp_path / "src" / "shop.py").write_text("client.is_enabled(name)\n")
    made = shop.run("remove", "checkout", "--why", "rolled out", "--source", str(tmp_path / "src"))
    assert made.status == 0
    assert "shop.py:1: name" in made.err


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("remove", "checkout", "--value", "onn"), "one of its variants"),
        (("remove", "chekout", "--why", "a test"), "did you mean checkout?"),
        (("stale", "--source", "/nowhere"), "/nowhere"),
    ],
)
def test_a_wrong_input_is_refused(shop: Flags, command: tuple[str, ...], said: str, tmp_path: Path) -> None:
    source = () if "--source" in command else ("--source", str(tmp_path / "src"))
    assert said in shop.refused(*command, *source)
