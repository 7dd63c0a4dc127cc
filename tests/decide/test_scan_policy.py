from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchover.decide.scan_policy import (
    SEVERITIES,
    FindingKind,
    IgnoreRule,
    ScanFinding,
    ScanPolicy,
    describe_verdict,
    judge_findings,
)

TODAY = date(2026, 11, 23)
VULNERABLE = ScanFinding(
    "CVE-2026-0001", "critical", FindingKind.VULNERABILITY, "package-lock.json", "", "left-pad", "1.2.3", "1.2.4"
)
UNFIXED = replace(VULNERABLE, id="CVE-2026-0002", severity="high", package="right-pad", fixed_version="")
SECRET = ScanFinding("aws-access-key-id", "critical", FindingKind.SECRET, "settings.py:1", "AWS Access Key ID")
ROOT = ScanFinding(
    "AVD-DS-0002", "high", FindingKind.MISCONFIGURATION, "Dockerfile", "runs as root", aliases=("DS002",)
)
POLICY = ScanPolicy(frozenset({"critical", "high"}))
RULE = IgnoreRule("CVE-2026-0001", "the function is not called", TODAY)


def with_rules(*rules: IgnoreRule) -> ScanPolicy:
    return replace(POLICY, ignore=rules)


@pytest.mark.parametrize(
    ("finding", "policy", "blocks"),
    [
        (VULNERABLE, POLICY, True),
        (replace(VULNERABLE, severity="medium"), POLICY, False),
        (replace(VULNERABLE, severity="medium"), ScanPolicy(frozenset({"medium"})), True),
        (UNFIXED, POLICY, True),
        (UNFIXED, replace(POLICY, unfixed=False), False),
        (VULNERABLE, replace(POLICY, unfixed=False), True),
        (SECRET, replace(POLICY, unfixed=False), True),
        (ROOT, replace(POLICY, unfixed=False), True),
        (ROOT, ScanPolicy(frozenset()), False),
    ],
)
def test_the_severity_and_whether_there_is_a_fix_decide(
    finding: ScanFinding, policy: ScanPolicy, *, blocks: bool
) -> None:
    verdict = judge_findings([finding], policy, TODAY)
    assert verdict.passes is not blocks
    assert verdict.blocking == ((finding,) if blocks else ())


@pytest.mark.parametrize(
    ("finding", "rule", "covered"),
    [
        (VULNERABLE, RULE, True),
        (VULNERABLE, replace(RULE, id="cve-2026-0001"), True),
        (VULNERABLE, replace(RULE, id="CVE-2026-0002"), False),
        (VULNERABLE, replace(RULE, package="left-pad"), True),
        (VULNERABLE, replace(RULE, package="right-pad"), False),
        (ROOT, replace(RULE, id="AVD-DS-0002"), True),
        (ROOT, replace(RULE, id="DS002"), True),
        (ROOT, replace(RULE, id="DS002", package="left-pad"), False),
        (SECRET, replace(RULE, id="aws-access-key-id"), True),
    ],
)
def test_a_rule_covers_what_it_names_and_no_more(finding: ScanFinding, rule: IgnoreRule, *, covered: bool) -> None:
    verdict = judge_findings([finding], with_rules(rule), TODAY)
    assert [each.rule for each in verdict.ignored] == ([rule] if covered else [])
    assert verdict.unused == (() if covered else (rule,))
    assert verdict.passes is covered


def test_an_ignore_protects_through_its_last_day_and_is_named_once_it_has_ended() -> None:
    policy = with_rules(RULE)
    last_day = judge_findings([VULNERABLE], policy, TODAY)
    assert last_day.passes
    assert describe_verdict(last_day) == "1 finding, none blocks; 1 ignored until 2026-11-23"
    after = judge_findings([VULNERABLE], policy, TODAY + timedelta(days=1))
    assert after.expired == (RULE,)
    assert after.unused == ()
    assert describe_verdict(after) == (
        "1 blocks: CRITICAL CVE-2026-0001 left-pad 1.2.3 (fixed in 1.2.4); "
        "the ignore of CVE-2026-0001 ended on 2026-11-23 (the function is not called)"
    )


def test_of_two_rules_the_one_that_lasts_counts() -> None:
    ended, lasting = replace(RULE, until=TODAY - timedelta(days=9)), replace(RULE, until=TODAY + timedelta(days=9))
    verdict = judge_findings([VULNERABLE], with_rules(ended, lasting), TODAY)
    assert [each.rule for each in verdict.ignored] == [lasting]
    assert verdict.expired == ()


def test_a_rule_for_what_would_not_stop_anything_is_not_needed() -> None:
    verdict = judge_findings([replace(VULNERABLE, severity="low")], with_rules(RULE), TODAY)
    assert verdict.ignored == ()
    assert verdict.unused == (RULE,)
    assert describe_verdict(verdict) == "1 finding, none blocks; not needed here: the ignore of CVE-2026-0001"


def test_the_text_names_the_worst_few_and_counts_the_rest() -> None:
    findings = [replace(UNFIXED, id=f"CVE-2026-100{number}") for number in range(6)] + [SECRET, ROOT]
    text = describe_verdict(judge_findings(findings, POLICY, TODAY))
    assert text == (
        "8 block: CRITICAL aws-access-key-id in settings.py:1: AWS Access Key ID; "
        "HIGH AVD-DS-0002 in Dockerfile: runs as root; "
        "HIGH CVE-2026-1000 right-pad 1.2.3 (no fix yet); "
        "HIGH CVE-2026-1001 right-pad 1.2.3 (no fix yet); "
        "HIGH CVE-2026-1002 right-pad 1.2.3 (no fix yet) and 3 more"
    )


def test_a_finding_of_two_platforms_counts_once_and_names_both() -> None:
    both = [replace(VULNERABLE, platform=platform) for platform in ("linux/arm64", "linux/amd64")]
    text = describe_verdict(judge_findings(both, POLICY, TODAY))
    assert text.startswith("1 blocks: ")
    assert text.endswith("(fixed in 1.2.4) on linux/amd64, linux/arm64")
    ignored = describe_verdict(judge_findings(both, with_rules(RULE), TODAY))
    assert ignored == "1 finding, none blocks; 1 ignored until 2026-11-23"


def test_nothing_found_is_said_as_such() -> None:
    assert describe_verdict(judge_findings([], POLICY, TODAY)) == "no findings"


FINDINGS = st.lists(
    st.builds(
        ScanFinding,
        id=st.sampled_from(["CVE-1", "CVE-2", "DS002"]),
        severity=st.sampled_from(SEVERITIES),
        kind=st.sampled_from(FindingKind),
        place=st.sampled_from(["a", "b"]),
        package=st.sampled_from(["", "left-pad"]),
        fixed_version=st.sampled_from(["", "2"]),
        platform=st.sampled_from(["", "linux/amd64"]),
    ),
    max_size=8,
)
RULES = st.lists(
    st.builds(
        IgnoreRule,
        id=st.sampled_from(["CVE-1", "CVE-2", "CVE-3"]),
        reason=st.just("does no harm here"),
        until=st.dates(TODAY - timedelta(days=3), TODAY + timedelta(days=3)),
        package=st.sampled_from(["", "left-pad"]),
    ),
    max_size=4,
)
POLICIES = st.builds(
    ScanPolicy,
    block=st.frozensets(st.sampled_from(SEVERITIES)),
    unfixed=st.booleans(),
    ignore=RULES.map(tuple),
)


@given(FINDINGS, POLICIES)
def test_every_finding_that_the_policy_stops_at_either_blocks_or_is_ignored(
    findings: list[ScanFinding], policy: ScanPolicy
) -> None:
    verdict = judge_findings(findings, policy, TODAY)
    stopping = [finding for finding in verdict.findings if policy.blocks(finding)]
    kept = [*verdict.blocking, *(each.finding for each in verdict.ignored)]
    assert sorted(map(repr, kept)) == sorted(map(repr, stopping))
    assert sorted(map(repr, verdict.findings)) == sorted(map(repr, findings))
    assert all(each.rule.until >= TODAY and each.rule.covers(each.finding) for each in verdict.ignored)


@given(FINDINGS, POLICIES, st.integers(1, 9))
def test_time_takes_protection_away_and_never_gives_it(
    findings: list[ScanFinding], policy: ScanPolicy, days: int
) -> None:
    today = judge_findings(findings, policy, TODAY)
    later = judge_findings(findings, policy, TODAY + timedelta(days=days))
    assert set(today.blocking) <= set(later.blocking)
    assert today.unused == later.unused


@given(FINDINGS, POLICIES)
def test_an_expired_rule_did_cover_something_that_blocks_and_each_is_named(
    findings: list[ScanFinding], policy: ScanPolicy
) -> None:
    verdict = judge_findings(findings, policy, TODAY)
    text = describe_verdict(verdict)
    for rule in verdict.expired:
        assert rule.until < TODAY
        assert any(rule.covers(finding) for finding in verdict.blocking)
        assert f"the ignore of {rule.id} ended on {rule.until}" in text
    assert not set(verdict.expired) & set(verdict.unused)
    assert not set(verdict.expired) & {each.rule for each in verdict.ignored}


@given(st.permutations([VULNERABLE, UNFIXED, SECRET, ROOT]))
def test_the_order_of_the_scanner_does_not_matter(findings: list[ScanFinding]) -> None:
    assert judge_findings(findings, POLICY, TODAY) == judge_findings([VULNERABLE, UNFIXED, SECRET, ROOT], POLICY, TODAY)
