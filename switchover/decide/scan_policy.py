"""Which findings of a scanner stop a release, which are ignored for a reason and a time, and what is said of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

SEVERITIES = ("critical", "high", "medium", "low", "unknown")
"""The worst first."""

_SHOWN = 5


class FindingKind(StrEnum):
    """What is wrong."""

    VULNERABILITY = "vulnerability"
    SECRET = "secret"  # noqa: S105 a kind of finding
    MISCONFIGURATION = "misconfiguration"


@dataclass(frozen=True, slots=True)
class ScanFinding:
    """One thing that a scanner found. It never holds what it was found in, so a secret is not quoted.

    `severity` is one of `SEVERITIES`; `aliases` are other names of the same `id`; `place`
    is a file, with a line where there is one; `platform` is that of the image, empty where there is none.
    """

    id: str
    severity: str
    kind: FindingKind
    place: str
    title: str = ""
    package: str = ""
    installed_version: str = ""
    fixed_version: str = ""
    platform: str = ""
    aliases: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Write the finding in one clause."""
        if self.kind is FindingKind.VULNERABILITY:
            fix = f"fixed in {self.fixed_version}" if self.fixed_version else "no fix yet"
            return f"{self.severity.upper()} {self.id} {self.package} {self.installed_version} ({fix})"
        return f"{self.severity.upper()} {self.id} in {self.place}: {self.title}"


@dataclass(frozen=True, slots=True)
class IgnoreRule:
    """A finding that does not stop a release. `until` is the last day; `package` empty: in any package."""

    id: str
    reason: str
    until: date
    package: str = ""

    def covers(self, finding: ScanFinding) -> bool:
        """Whether the finding is meant, whatever the day."""
        names = {name.casefold() for name in (finding.id, *finding.aliases)}
        return self.id.casefold() in names and self.package in {"", finding.package}


@dataclass(frozen=True, slots=True)
class ScanPolicy:
    """`block` are the severities that stop a release, `unfixed` whether vulnerabilities without a fix do so too."""

    block: frozenset[str]
    unfixed: bool = True
    ignore: tuple[IgnoreRule, ...] = ()

    def blocks(self, finding: ScanFinding) -> bool:
        """Whether the finding stops a release where nothing ignores it."""
        fixable = finding.kind is not FindingKind.VULNERABILITY or bool(finding.fixed_version)
        return finding.severity in self.block and (self.unfixed or fixable)


@dataclass(frozen=True, slots=True)
class Ignored:
    """A finding that would stop the release, and the rule by which it does not."""

    finding: ScanFinding
    rule: IgnoreRule


@dataclass(frozen=True, slots=True)
class ScanVerdict:
    """What becomes of the findings. A finding of several platforms is in `findings` once for each.

    `expired` are the rules that would have covered a blocking finding on an earlier day, `unused` those that cover
    nothing that blocks.
    """

    findings: tuple[ScanFinding, ...]
    blocking: tuple[ScanFinding, ...]
    ignored: tuple[Ignored, ...]
    expired: tuple[IgnoreRule, ...]
    unused: tuple[IgnoreRule, ...]

    @property
    def passes(self) -> bool:
        """Whether the release may go on."""
        return not self.blocking


def judge_findings(findings: Iterable[ScanFinding], policy: ScanPolicy, today: date) -> ScanVerdict:
    """Sort the findings by what the policy says of them today, the worst first."""
    ordered = tuple(sorted(findings, key=_rank))
    stopping = [finding for finding in ordered if policy.blocks(finding)]
    blocking: list[ScanFinding] = []
    ignored: list[Ignored] = []
    for finding in stopping:
        valid = [rule for rule in policy.ignore if rule.covers(finding) and today <= rule.until]
        if valid:
            ignored.append(Ignored(finding, max(valid, key=lambda rule: rule.until)))
        else:
            blocking.append(finding)
    return ScanVerdict(
        ordered,
        tuple(blocking),
        tuple(ignored),
        tuple(rule for rule in policy.ignore if any(map(rule.covers, blocking))),
        tuple(rule for rule in policy.ignore if not any(map(rule.covers, stopping))),
    )


def describe_verdict(verdict: ScanVerdict, *, places: bool = False) -> str:
    """The verdict in one line: what blocks and which rules have ended, or how much was found and what is ignored.

    With `places` it also says which file states a vulnerable package.
    """
    ignored = _merge_platforms(each.finding for each in verdict.ignored)
    parts = [_describe_blocking(verdict.blocking, places=places) if verdict.blocking else _count(verdict.findings)]
    parts += [f"the ignore of {rule.id} ended on {rule.until} ({rule.reason})" for rule in verdict.expired]
    if ignored:
        first = min(each.rule.until for each in verdict.ignored)
        parts.append(f"{len(ignored)} ignored{' until' if len(ignored) == 1 else ', the first until'} {first}")
    if verdict.unused:
        parts.append(f"not needed here: the ignore of {', '.join(rule.id for rule in verdict.unused)}")
    return "; ".join(parts)


def _count(findings: Iterable[ScanFinding]) -> str:
    number = len(_merge_platforms(findings))
    return f"{number} finding{'' if number == 1 else 's'}, none blocks" if number else "no findings"


def _describe_blocking(blocking: Iterable[ScanFinding], *, places: bool) -> str:
    platforms = _merge_platforms(blocking)
    texts = [
        f"{_name(finding, places=places)} on {', '.join(found)}" if any(found) else _name(finding, places=places)
        for finding, found in list(platforms.items())[:_SHOWN]
    ]
    more = f" and {len(platforms) - _SHOWN} more" if len(platforms) > _SHOWN else ""
    return f"{len(platforms)} block{'s' if len(platforms) == 1 else ''}: {'; '.join(texts)}{more}"


def _name(finding: ScanFinding, *, places: bool) -> str:
    # Other kinds say it anyway.
    return f"{finding} in {finding.place}" if places and finding.kind is FindingKind.VULNERABILITY else str(finding)


def _merge_platforms(findings: Iterable[ScanFinding]) -> dict[ScanFinding, list[str]]:
    """Each finding once, without its platform, and the platforms that have it."""
    merged: dict[ScanFinding, list[str]] = {}
    for finding in findings:
        merged.setdefault(replace(finding, platform=""), []).append(finding.platform)
    return merged


def _rank(finding: ScanFinding) -> tuple[int, str, str, str, str]:
    return (SEVERITIES.index(finding.severity), finding.id, finding.package, finding.place, finding.platform)
