"""What people read of a set's flag debt: a Markdown report, and a message of a few lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from switchover.flags.hygiene import Finding, FindingKind

_SHOWN = 10


def render_findings(findings: Sequence[Finding], looked_at: str, remarks: Sequence[str]) -> str:
    """Markdown: a table of every finding; `remarks` are what was not looked at."""
    lines = ["# Flag debt", "", f"{_count(findings)}; {looked_at}.", ""]
    if findings:
        lines += ["| flag | what | why | owner | asked in | next |", "|---|---|---|---|---|---|"]
        lines += [_write_row(each) for each in findings]
    return "\n".join([*lines, "", *(f"- {_escape(remark)}" for remark in remarks)]).rstrip() + "\n"


def write_summary(findings: Sequence[Finding]) -> str:
    """Plain text for a message: how many of each kind, and the first of them."""
    kinds = Counter(each.kind for each in findings)
    lines = [f"{kinds[kind]} {kind.value}" for kind in FindingKind if kinds[kind]]
    shown = [f"{each.flag}: {each.reason}; {each.next_step}" for each in findings[:_SHOWN]]
    more = [f"and {len(findings) - _SHOWN} more"] if len(findings) > _SHOWN else []
    return "\n".join([", ".join(lines), *shown, *more])


def _count(findings: Sequence[Finding]) -> str:
    return f"{len(findings)} finding{'' if len(findings) == 1 else 's'}"


def _write_row(finding: Finding) -> str:
    places = ", ".join(f"{each.file}:{each.line}" for each in finding.references[:3])
    cells = (finding.flag, finding.kind.value, finding.reason, finding.owner or "-", places or "-", finding.next_step)
    return f"| {' | '.join(_escape(cell) for cell in cells)} |"


def _escape(text: str) -> str:
    return " ".join(text.replace("|", "\\|").replace("<", "&lt;").split())
