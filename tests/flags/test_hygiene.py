from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from switchover.flags.changes import disable, kill, new_flag, set_addition, set_percentage
from switchover.flags.debt_report import render_findings, write_summary
from switchover.flags.hygiene import Finding, FindingKind, Reference, judge_flags
from switchover.flags.served import read_served
from switchover.flags.snapshot import Change, Json, Note, Snapshot

TODAY = date(2026, 11, 23)
NOTE = Note("ann", "", "set")


def a_flag(age_days: int | None = 100, percent: float | None = None) -> dict[str, Json]:
    created = None if age_days is None else TODAY - timedelta(days=age_days)
    flag = new_flag(owner="ann", created=created)
    return flag if percent is None else set_percentage(flag, percent)


def a_reference(key: str = "checkout", *, sure: bool = True) -> Reference:
    return Reference("app.py", 7, "is_enabled", key, repr(key), sure)


def a_change(days_ago: int, before: Json, after: Json) -> Change:
    at = datetime.combine(TODAY, datetime.min.time(), UTC) - timedelta(days=days_ago)
    return Change(1, at, NOTE, {"flags/checkout": after}, {"flags/checkout": before})


def judge(
    flag: Json,
    *,
    references: tuple[Reference, ...] | None = (a_reference(),),
    counts: dict[str, int] | None = None,
    history: tuple[Change, ...] = (),
) -> tuple[Finding, ...]:
    parts: dict[str, Json] = {} if flag is None else {"flags/checkout": flag}
    return judge_flags(Snapshot(1, "a", parts), references, counts, TODAY, 30, history=history)


def kinds(findings: tuple[Finding, ...]) -> list[FindingKind]:
    return [each.kind for each in findings]


def test_a_flag_in_the_middle_of_its_rollout_is_no_debt() -> None:
    assert judge(a_flag(percent=25), counts={"checkout": 3}) == ()


def test_a_flag_behind_its_date_says_how_long_and_what_to_do() -> None:
    flag = set_addition(a_flag(percent=25), "switchover.expires", date(2026, 11, 20))
    (finding,) = judge(flag)
    assert finding == Finding(
        "checkout",
        FindingKind.EXPIRED,
        "expired on 2026-11-20, 3 days ago",
        "choose the variant that stays, then `switchover flags remove checkout --value VARIANT`",
        100,
        "ann",
        (a_reference(),),
    )
    assert judge(set_addition(flag, "switchover.expires", TODAY)) == ()


@pytest.mark.parametrize(("percent", "variant"), [(100, "on"), (0, "off"), (None, "off")])
def test_one_variant_for_everybody_for_long_is_fully_rolled_out(percent: float | None, variant: str) -> None:
    (finding,) = judge(a_flag(percent=percent))
    assert finding.kind is FindingKind.ROLLED_OUT
    assert finding.reason == f"everybody gets {variant} for 100 days"
    assert finding.next_step == f"`switchover flags remove checkout --value {variant}`"


def test_the_trail_says_since_when_everybody_gets_it() -> None:
    half, whole = a_flag(percent=50), a_flag(percent=100)
    renamed = set_addition(whole, "switchover.owner", "bob")
    history = (a_change(2, whole, renamed), a_change(40, half, whole), a_change(90, None, half))
    (finding,) = judge(renamed, history=history)
    assert finding.reason == "everybody gets on for 40 days"
    assert judge(renamed, history=(a_change(2, whole, renamed), a_change(29, half, whole))) == ()


def test_what_nobody_knows_the_age_of_is_not_called_rolled_out() -> None:
    assert judge(a_flag(None, percent=100)) == ()


def test_a_disabled_flag_gives_everybody_the_callers_default() -> None:
    (finding,) = judge(disable(a_flag(percent=25)))
    assert finding.reason == "everybody gets the caller's default for 100 days"
    assert "choose the variant that stays" in finding.next_step


def test_a_flag_that_is_killed_for_long_is_that_and_not_rolled_out() -> None:
    before = a_flag(percent=100)
    (finding,) = judge(kill(before), history=(a_change(31, before, kill(before)),))
    assert finding.kind is FindingKind.KILLED
    assert finding.reason == "killed for 31 days, serving off"
    assert judge(kill(before), history=(a_change(29, before, kill(before)),)) == ()


def test_code_and_counts_speak_only_where_somebody_looked() -> None:
    flag = a_flag(percent=25)
    unused, unasked = judge(flag, references=(), counts={})
    assert kinds((unused, unasked)) == [FindingKind.UNUSED, FindingKind.NEVER_ASKED]
    assert "not even as one of all flags" in unasked.reason
    assert judge(flag, references=None, counts=None) == ()
    assert judge(a_flag(3, percent=25), counts={}) == ()
    assert judge(a_flag(3, percent=25), references=()) == ()
    assert judge(a_flag(None, percent=25), references=()) == ()


def test_a_key_that_is_not_in_the_set_is_named_where_it_is_surely_a_flag() -> None:
    (finding,) = judge(None)
    assert (finding.flag, finding.kind) == ("checkout", FindingKind.UNKNOWN)
    assert finding.reason == "asked for in app.py:7, and everybody gets the caller's default"
    assert judge(None, references=(a_reference(sure=False),)) == ()


def test_a_flag_without_an_owner_is_named() -> None:
    assert kinds(judge(set_percentage(new_flag(), 25))) == [FindingKind.NO_OWNER]


@pytest.mark.parametrize("flag", [3, [], {}, {"variants": 1, "defaultVariant": "on", "metadata": 3}])
def test_a_broken_flag_is_no_failure(flag: Json) -> None:
    assert FindingKind.NO_OWNER in kinds(judge(flag))


@pytest.mark.parametrize(
    ("targeting", "served"),
    [
        ({}, {"off"}),
        ({"if": [{"==": [1, {"var": "a"}]}, "on"]}, {"on", "off"}),
        ({"if": [{"==": [1, {"var": "a"}]}, "on", "on"]}, {"on"}),
        ({"if": [True, "on", {"anything": 1}]}, {"on"}),
        ({"fractional": [["on", 100], ["off", 0]]}, {"on", "off"}),
        ({"fractional": [{"var": "email"}, ["on"], ["off", 1]]}, {"on", "off"}),
        ({"fractional": [["on", {"var": "a"}]]}, None),
        ({"$ref": "all"}, {"on"}),
        ({"==": [1, 1]}, None),
        ("other", None),
    ],
)
def test_what_a_rule_can_serve_is_read_from_it(targeting: Json, served: set[str] | None) -> None:
    flag = {**new_flag(), "targeting": targeting}
    assert read_served(flag, {"$evaluators/all": "on"}) == served


def test_the_report_is_a_table_that_nothing_breaks_out_of() -> None:
    finding = Finding("a|b", FindingKind.EXPIRED, "<b>\nold", "remove it", references=(a_reference(),))
    report = render_findings([finding], "1 flag looked at", ["x|y"])
    assert "| a\\|b | expired | &lt;b> old | - | app.py:7 | remove it |" in report
    assert write_summary([finding] * 12).splitlines()[0] == "12 expired"
    assert write_summary([finding] * 12).splitlines()[-1] == "and 2 more"
