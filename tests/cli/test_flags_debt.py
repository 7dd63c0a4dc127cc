"""`switchover flags stale` and `remove`, on real files of code."""

from __future__ import annotations

from pathlib import Path

import pytest

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
    shown = shop.done("stale", "--source", str(tmp_path / "src"))
    assert "expired on 2020-01-31" in shown
    assert "shop.py:2" in shown
    assert "no call in the code names it" in shown
    assert "looked at: flags 2, Python files 1" in shown
    findings = shop.run("stale", "--source", str(tmp_path / "src"), "--json").json["findings"]
    assert {"flag": "forgotten", "kind": "unused in code"}.items() <= next(
        each for each in findings if each["flag"] == "forgotten"
    ).items()


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
