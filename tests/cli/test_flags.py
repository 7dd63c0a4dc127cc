"""`switchover flags` on a file: what operators do, and what every wrong input gets."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from switchover.cli.commands import LazyGroup
from switchover.cli.flags import flags
from switchover.cli.flags_words import describe_revived
from switchover.cli.main import run
from switchover.flags.opening import describe_place
from tests.cli.harness import Ran

_WHY = ("--why", "a test", "--who", "ann@example.com")
_BROKEN = {"if": [{"starts_wit": [{"var": "email"}, "a"]}, "on", "off"]}


@dataclass(frozen=True, slots=True)
class Flags:
    """The command line on one store."""

    store: str

    def run(self, *arguments: str) -> Ran:
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            status = run(["flags", *arguments[:1], "--store", self.store, *arguments[1:]])
        return Ran(status, out.getvalue(), err.getvalue())

    def done(self, *arguments: str) -> str:
        ran = self.run(*arguments)
        assert (ran.status, ran.err) == (0, "")
        return ran.out

    def refused(self, *arguments: str, status: int = 2) -> str:
        ran = self.run(*arguments)
        assert ran.status == status
        assert "Traceback" not in ran.err
        return ran.err

    def definition(self, key: str) -> dict[str, object]:
        found: dict[str, object] = self.run("show", key, "--json").json["definition"]
        return found


@pytest.fixture
def shop(tmp_path: Path) -> Flags:
    """A file with the flag `checkout`, off for everybody, at version 1."""
    made = Flags(f"file:{tmp_path / 'flags.json'}")
    made.done("set", "checkout", "--owner", "payments", "--expires", "2030-01-31", *_WHY)
    return made


def test_a_new_flag_is_off_for_everybody_and_listed(shop: Flags) -> None:
    shown = shop.done("list").splitlines()
    assert shown[0].split() == ["flag", "state", "serves", "owner", "expires"]
    assert shown[1].split() == ["checkout", "enabled", "everybody:", "off", "(false)", "payments", "2030-01-31"]
    assert shown[-1] == f"1 flag at version 1 of {shop.store}"
    assert shop.run("list", "--json").json["place"] == shop.store
    (entry,) = shop.run("list", "--json").json["flags"]
    assert (entry["key"], entry["state"], entry["killed"], entry["owner"]) == ("checkout", "enabled", False, "payments")


def test_an_empty_set_is_no_failure(tmp_path: Path) -> None:
    empty = Flags(f"file:{tmp_path / 'absent.json'}")
    assert f"no flags at version 0 of {empty.store}" in empty.done("list")
    assert "nothing was changed here yet" in empty.done("history")
    assert empty.run("list", "--json").json["version"] == 0


@pytest.mark.parametrize("command", [("kill", "checkout", *_WHY), ("show", "checkout"), ("history", "checkout")])
def test_where_no_set_was_ever_written_the_place_is_in_doubt_and_not_the_flag(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    empty = Flags(f"file:{tmp_path / 'absent.json'}")
    told = empty.refused(*command)
    assert f"expected: a flag of {empty.store}, which holds no flags" in told
    assert "check the place (--store, SWITCHOVER_FLAGS)" in told
    assert "flags set" not in told


def test_a_change_says_which_set_it_is_in_without_the_password(shop: Flags) -> None:
    assert f"version 2 of {shop.store} by ann@example.com" in shop.done("rollout", "checkout", "25", *_WHY)
    assert f"(version 2 of {shop.store})" in shop.done("rollout", "checkout", "25", *_WHY)
    assert f"this would make version 3 of {shop.store} " in shop.done("rollout", "checkout", "50", "--dry-run")
    assert shop.run("rollout", "checkout", "50", "--json").json["place"] == shop.store
    assert describe_place("redis://ann:geheim@cache/2?set=shop") == "redis://cache:6379?set=shop&db=2"


def test_a_rollout_is_shown_in_plain_words(shop: Flags) -> None:
    told = shop.done("rollout", "checkout", "25", *_WHY)
    assert "checkout: everybody: 25 % on, 75 % off" in told
    assert f"version 2 of {shop.store} by ann@example.com: a test" in told
    assert "25 % on" in shop.done("list")


def test_a_user_is_given_a_variant_and_loses_it_again(shop: Flags) -> None:
    before = shop.definition("checkout")
    told = shop.done("target", "checkout", "--user", "ann", "--variant", "on")
    assert "users ann: on; everybody else: off (false)" in told
    shop.done("target", "checkout", "--user", "ann", "--remove")
    after = shop.definition("checkout")
    assert {key: after[key] for key in ("state", "variants", "defaultVariant")} == {
        key: before[key] for key in ("state", "variants", "defaultVariant")
    }
    assert "ann" not in json.dumps(after.get("targeting", {}))


def test_a_user_whose_key_has_a_comma_can_be_taken_away(shop: Flags, tmp_path: Path) -> None:
    rules = tmp_path / "rules.json"
    rules.write_text('{"if": [{"in": [{"var": "targetingKey"}, ["ann,bob"]]}, "on"]}')
    shop.done("set", "checkout", "--targeting", str(rules))
    assert "ann,bob" in shop.done("show", "checkout")
    shop.done("target", "checkout", "--user", "ann,bob", "--remove")
    assert "ann,bob" not in shop.done("show", "checkout")


def test_a_kill_serves_off_and_a_revival_brings_back_exactly_what_was(shop: Flags) -> None:
    shop.done("rollout", "checkout", "25")
    before = shop.definition("checkout")
    assert "checkout: everybody: off (false) (killed)" in shop.done("kill", "checkout", *_WHY)
    assert shop.run("list", "--json").json["flags"][0]["killed"] is True
    again = shop.run("kill", "checkout", *_WHY, "--json").json
    assert (again["changed"], again["version"]) == ([], 3)
    told = shop.done("rollout", "checkout", "50")
    assert "everybody: off (false) (killed); when revived: everybody: 50 % on, 50 % off" in told
    assert "when revived" in shop.done("show", "checkout")
    entry = shop.run("show", "checkout", "--json").json
    assert entry["when_revived"] == "everybody: 50 % on, 50 % off"
    assert "killed" in shop.done("list")
    shop.done("undo", "4", *_WHY)
    assert "checkout: everybody: 25 % on, 75 % off" in shop.done("revive", "checkout", *_WHY)
    assert shop.definition("checkout") == before


def test_a_kill_whose_rule_was_changed_by_hand_says_that_nobody_can_say(shop: Flags) -> None:
    shop.done("kill", "checkout", *_WHY)
    changed: Any = shop.definition("checkout") | {"targeting": {"if": [{"var": "x"}, "on", "off"]}}
    assert str(describe_revived(changed)).startswith("nobody can say")


def test_show_says_what_those_get_who_cannot_be_spread(shop: Flags) -> None:
    shop.done("rollout", "checkout", "25")
    assert "without a key: off (false) in place of a percentage" in " ".join(shop.done("show", "checkout").split())
    for percent in ("0", "100"):
        shop.done("rollout", "checkout", percent)
        assert "without a key" not in shop.done("show", "checkout")


def test_a_disabled_flag_gives_callers_their_own_default(shop: Flags) -> None:
    assert "each caller's own default" in shop.done("disable", "checkout")
    assert "everybody: off (false)" in shop.done("enable", "checkout")


def test_set_edits_what_is_named_and_leaves_the_rest(shop: Flags, tmp_path: Path) -> None:
    rules = tmp_path / "rules.json"
    rules.write_text('{"if": [{"==": [{"var": "plan"}, "gold"]}, "on"]}')
    shop.done("set", "base", "--default", "on")
    arguments = ("--targeting", str(rules), "--prerequisite", "base=on", "--off", "off", "--experiment")
    shop.done("set", "checkout", *arguments)
    shown = shop.done("show", "checkout")
    assert "base serves on" in shown
    assert "yes: exposures are recorded" in shown
    assert "payments" in shown
    assert '"plan"' in shown
    cleared = ("--no-targeting", "--prerequisite", "none", "--no-experiment", "--expires", "none", "--owner", "none")
    shop.done("set", "checkout", *cleared)
    assert "targeting" not in shop.definition("checkout")
    entry = shop.run("show", "checkout", "--json").json
    assert (entry["owner"], entry["expires"], entry["experiment"]) == (None, None, False)


@pytest.mark.parametrize(
    ("variants", "read"),
    [
        ("a=1,b=2", {"a": 1, "b": 2}),
        ("a=red, b=dark blue", {"a": "red", "b": "dark blue"}),
        ('{"a": {"x": [1, 2]}, "b": {}}', {"a": {"x": [1, 2]}, "b": {}}),
    ],
)
def test_variants_are_pairs_or_json(shop: Flags, variants: str, read: dict[str, object]) -> None:
    shop.done("set", "layout", "--variants", variants, "--default", "b")
    assert shop.definition("layout")["variants"] == read


def test_a_dry_run_shows_the_difference_and_changes_nothing(shop: Flags) -> None:
    shown = shop.done("rollout", "checkout", "25", "--dry-run")
    assert '+  "targeting": {' in shown
    assert "nothing was changed: this would make version 2" in shown
    document = shop.run("kill", "checkout", "--dry-run", "--json").json
    assert (document["dry_run"], document["version"], document["changed"]) == (True, 1, ["flags/checkout"])
    assert shop.run("list", "--json").json["version"] == 1


def test_the_history_says_who_why_and_what(shop: Flags) -> None:
    shop.done("kill", "checkout", *_WHY)
    shop.done("set", "search")
    newest, killed, first = shop.run("history", "--json").json["history"]
    assert (newest["version"], killed["action"], killed["who"], killed["why"]) == (
        3,
        "kill",
        "ann@example.com",
        "a test",
    )
    assert first["before"] == {"flags/checkout": None}
    assert "kill" in shop.done("history", "checkout")
    at = datetime.fromisoformat(killed["at"]).astimezone(UTC)
    assert f"{at:%Y-%m-%d %H:%M:%S}Z" in shop.done("history", "checkout")
    assert "search" not in shop.done("history", "checkout")


def test_who_is_known_by_git_or_the_system(shop: Flags, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "switchover.cli.main", "flags", "set", "new", "--store", shop.store]
    plain = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    nowhere = {**plain, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "HOME": str(tmp_path)}
    subprocess.run(command, cwd=tmp_path, env=nowhere, check=True, capture_output=True)
    known = tmp_path / "gitconfig"
    known.write_text("[user]\n\temail = bob@example.com\n")
    command[5] = "newer"
    subprocess.run(command, cwd=tmp_path, env={**nowhere, "GIT_CONFIG_GLOBAL": str(known)}, check=True)
    newest, before, *_ = shop.run("history", "--json").json["history"]
    assert newest["who"] == "bob@example.com"
    assert before["who"].endswith(f"@{os.uname().nodename}")


def test_a_version_is_restored_and_a_change_undone(shop: Flags) -> None:
    shop.done("set", "search")
    shop.done("rollout", "checkout", "25")
    shop.done("undo", "2", *_WHY)
    assert [each["key"] for each in shop.run("list", "--json").json["flags"]] == ["checkout"]
    shop.done("restore", "--version", "3", *_WHY)
    assert [each["key"] for each in shop.run("list", "--json").json["flags"]] == ["checkout", "search"]
    assert "everybody: 25 % on" in shop.done("list")


def test_an_export_is_imported_elsewhere_as_it_was(shop: Flags, tmp_path: Path) -> None:
    file = tmp_path / "exported.json"
    shop.done("export", "--output", str(file))
    assert json.loads(file.read_text()) == json.loads(shop.done("export"))
    other = Flags(f"file:{tmp_path / 'other.json'}")
    other.done("set", "old")
    other.done("import", str(file), "--keep-others", *_WHY)
    assert [each["key"] for each in other.run("list", "--json").json["flags"]] == ["checkout", "old"]
    assert "old: gone" in other.done("import", str(file), "--replace", *_WHY)
    assert other.definition("checkout") == shop.definition("checkout")


def test_an_import_removes_nothing_that_it_was_not_told_to(shop: Flags, tmp_path: Path) -> None:
    for name in ("a", "b", "c", "d", "e", "f"):
        shop.done("set", name)
    file = tmp_path / "one.json"
    one = {"state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": "on"}
    file.write_text(json.dumps({"flags": {"a": one, "new": one}}))
    told = shop.refused("import", str(file), *_WHY)
    assert "6 not named: b, c, checkout, d, e and 1 more" in told
    assert "--replace" in shop.refused("import", str(file), "--dry-run")
    assert "either --keep-others or --replace" in shop.refused("import", str(file), "--keep-others", "--replace", *_WHY)
    assert shop.run("list", "--json").json["version"] == 7
    assert "1 made, 1 edited, 6 removed" in shop.done("import", str(file), "--replace", *_WHY)
    counts = shop.run("restore", "--version", "7", *_WHY, "--json").json["counts"]
    assert counts == {"made": 6, "edited": 1, "removed": 1}


def test_an_export_that_cannot_be_written_is_refused_and_leaves_what_there_was(shop: Flags, tmp_path: Path) -> None:
    assert "cannot write /nowhere/flags.json" in shop.refused("export", "-o", "/nowhere/flags.json")
    assert "cannot write" in shop.refused("export", "-o", str(tmp_path))
    target = tmp_path / "target.json"
    target.write_text("before")
    target.chmod(0o640)
    link = tmp_path / "link.json"
    link.symlink_to(target)
    shop.done("export", "-o", str(link))
    assert json.loads(target.read_text()) == json.loads(shop.done("export"))
    assert (link.is_symlink(), target.stat().st_mode & 0o777) == (True, 0o640)
    shop.done("export", "-o", os.devnull)
    assert not Path(os.devnull).is_file()


def test_a_file_has_no_word_from_its_readers_and_the_kill_says_so(shop: Flags) -> None:
    ran = shop.run("kill", "checkout", "--wait", *_WHY)
    assert ran.status == 1
    assert "not proven" in ran.out
    proof = shop.run("kill", "checkout", "--wait", *_WHY, "--json").json["proof"]
    assert (proof["outcome"], proof["complete"]) == ("unknown", False)


@pytest.mark.parametrize(
    "command",
    [("kill", "checkout"), ("remove", "checkout", "--still-asked"), ("restore", "--version", "0"), ("undo", "1")],
)
def test_what_hurts_needs_a_reason(shop: Flags, command: tuple[str, ...]) -> None:
    assert 'add --why "…"' in shop.refused(*command)
    assert shop.run("list", "--json").json["version"] == 1


def test_at_a_terminal_the_reason_is_asked_for(shop: Flags) -> None:
    command = [sys.executable, "-m", "switchover.cli.main", "flags", "kill", "checkout", "--store", shop.store]
    ours, theirs = os.openpty()
    with open(ours, "r+b", buffering=0) as terminal:  # noqa: PTH123 - a descriptor has no path
        process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        asked = b""
        while b"Why kill checkout?" not in asked:
            asked += terminal.read(1000) or b""
        terminal.write(b"payments fail\n")
        assert process.wait(60) == 0
    assert shop.run("history", "--json").json["history"][0]["why"] == "payments fail"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("kill", "chekout", *_WHY), "did you mean checkout?"),
        (("show", "chekout"), "did you mean checkout?"),
        (("history", "chekout"), "did you mean checkout?"),
        (("rollout", "checkout", "101"), "0 to 100"),
        (("rollout", "checkout", "--", "-1"), "0 to 100"),
        (("rollout", "checkout", "nan"), "0 to 100"),
        (("rollout", "checkout", "25", "--variant", "onn"), "did you mean on?"),
        (("target", "checkout", "--user", "ann", "--variant", "onn"), "did you mean on?"),
        (("target", "checkout", "--user", "ann"), "either --variant or --remove"),
        (("target", "checkout", "--user", "ann,bob", "--variant", "on"), "--user ann --user bob"),
        (("target", "checkout", "--user", "ann,bob", "--remove"), "--user ann --user bob"),
        (("target", "checkout", "--user", "", "--variant", "on"), "not empty"),
        (("kill", "checkout", "--variant", "onn", *_WHY), "did you mean on?"),
        (("set", "checkout", "--default", "onn"), "did you mean on?"),
        (("set", "checkout", "--variants", "on"), "--variants"),
        (("set", "checkout", "--variants", "{"), "--variants"),
        (("set", "checkout", "--expires", "soon"), "2027-01-31"),
        (("set", "checkout", "--prerequisite", "base"), "other=on"),
        (("set", "checkout", "--prerequisite", "base=on"), "flags/checkout/metadata"),
        (("set", "checkout", "--prerequisite", "checkout=on"), "flags/checkout/metadata"),
        (("set", "a/b"), "flags/a~1b"),
        (("set", "checkout", "--targeting", "/nowhere/rules.json"), "cannot read /nowhere/rules.json"),
        (("set", "checkout", "--targeting", "x", "--no-targeting"), "either --targeting or --no-targeting"),
        (("import", "/nowhere/flags.json", *_WHY), "cannot read /nowhere/flags.json"),
        (("restore", "--version", "9", *_WHY), "there is no version 9"),
        (("undo", "9", *_WHY), "there is no version 9"),
        (("remove", "checkout", "--write"), "--value"),
        (("kill", "checkout", "--why", "two\nlines"), "--why cannot be kept"),
        (("lst",), "did you mean list?"),
    ],
)
def test_a_wrong_input_is_refused_with_what_to_do(shop: Flags, command: tuple[str, ...], said: str) -> None:
    assert said in shop.refused(*command)
    assert shop.run("list", "--json").json["version"] == 1


def test_broken_rules_are_refused_with_the_path_of_the_node(shop: Flags, tmp_path: Path) -> None:
    file = tmp_path / "rules.json"
    file.write_text(json.dumps(_BROKEN))
    told = shop.refused("set", "checkout", "--targeting", str(file))
    assert "flags/checkout/targeting/if/0" in told
    assert "starts_with" in told
    file.write_text("{")
    assert "is no JSON" in shop.refused("set", "checkout", "--targeting", str(file))
    file.write_text(json.dumps({"flags": {"new": {"state": "ON"}}}))
    assert "flags/new/state" in shop.refused("import", str(file), "--replace", *_WHY)
    assert shop.run("list", "--json").json["version"] == 1


def test_who_names_the_version_that_he_saw_does_not_overwrite_a_newer_one(shop: Flags) -> None:
    shop.done("rollout", "checkout", "25", "--if-version", "1")
    told = shop.refused("rollout", "checkout", "50", "--if-version", "1", status=1)
    assert "version 2" in told


def test_a_store_that_is_not_reached_is_said_without_its_password(tmp_path: Path) -> None:
    silent = Flags(f"redis://ann:geheim@127.0.0.1:1/0?set={tmp_path.name.replace('_', '-')}")
    told = silent.refused("list", status=1)
    assert "127.0.0.1:1" in told
    assert "geheim" not in told
    assert "geheim" not in json.dumps(silent.run("list", "--json").json)


def test_the_store_is_that_of_the_file_beside_unless_the_environment_says_otherwise(tmp_path: Path) -> None:
    (tmp_path / "switchover.toml").write_text('[project]\nname = "acme"\n[flags]\nstore = "file:here.json"\n')
    command = [sys.executable, "-m", "switchover.cli.main", "flags", "set", "new"]
    plain = {key: value for key, value in os.environ.items() if key != "SWITCHOVER_FLAGS"}
    inner = tmp_path / "inner"
    inner.mkdir()
    subprocess.run(command, cwd=inner, env=plain, check=True, capture_output=True)
    assert (tmp_path / "here.json").is_file()
    named = {**plain, "SWITCHOVER_FLAGS": "file:there.json"}
    subprocess.run(command, cwd=inner, env=named, check=True, capture_output=True)
    assert (inner / "there.json").is_file()


def test_a_password_in_the_file_is_refused_and_not_repeated(tmp_path: Path) -> None:
    file = tmp_path / "switchover.toml"
    file.write_text('[project]\nname = "acme"\n[flags]\nstore = "redis://ann:geheim@localhost/0?set=shop"\n')
    err = io.StringIO()
    with redirect_stderr(err):
        assert run(["check", "--config", str(file)]) == 2
    assert "SWITCHOVER_FLAGS_PASSWORD" in err.getvalue()
    assert "geheim" not in err.getvalue()


def test_a_file_is_read_from_standard_input(shop: Flags) -> None:
    command = [sys.executable, "-m", "switchover.cli.main", "flags", "import", "-", "--store", shop.store, *_WHY]
    command.append("--replace")
    done = subprocess.run(command, input=b'{"flags": {}}', capture_output=True, check=True, timeout=60)
    assert b"checkout: gone" in done.stdout


def test_without_any_place_it_is_said_how_to_name_one(tmp_path: Path) -> None:
    plain = {key: value for key, value in os.environ.items() if key != "SWITCHOVER_FLAGS"}
    command = [sys.executable, "-m", "switchover.cli.main", "flags", "list"]
    done = subprocess.run(command, cwd=tmp_path, env=plain, check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert "add --store" in done.stderr


@pytest.mark.parametrize("name", flags.list_commands(None))  # type: ignore[arg-type] # no context is looked at
def test_every_command_says_of_itself_what_the_table_says_and_takes_json(name: str) -> None:
    assert isinstance(flags, LazyGroup)
    command = flags.get_command(None, name)  # type: ignore[arg-type] # as above
    assert command is not None
    assert (command.help or "").splitlines()[0] == flags.table[name].help
    assert "--json" in [option for parameter in command.params for option in parameter.opts]
