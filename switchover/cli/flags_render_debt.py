"""What `stale` and `remove` say."""

from __future__ import annotations

from switchover.cli.output import as_plain
from switchover.cli.tables import Rows, render_table
from switchover.flags.hygiene import Finding, Reference
from switchover.operations.flag_debt import DebtReport, RemovalReport, Unread

_HEAD = ("flag", "what", "why", "asked in", "next")
_LISTED = 5


def render_debt(report: DebtReport) -> str:
    """A table of the findings, and what was not looked at."""
    counted = f"looked at: flags {report.flags}, Python files {report.files}"
    if not report.findings:
        return "\n".join([f"no flag debt; {counted}", *_not_seen(report.unread, report.computed)])
    rows: Rows = [
        (each.flag, str(as_plain(each.kind)), each.reason, _places(each), each.next_step) for each in report.findings
    ]
    return "\n".join([render_table(_HEAD, rows), counted, *_not_seen(report.unread, report.computed)])


def render_removal(report: RemovalReport) -> str:
    """The difference of each file, and what a person has to look at."""
    lines = [file.diff.rstrip("\n") for file in report.files if file.diff]
    lines += [f"still asks for it: {place}" for place in report.left]
    lines += [f"look at: {place}" for file in report.files for place in file.remaining]
    lines += _not_seen(report.unread, report.computed)
    changed = sum(bool(file.diff) for file in report.files)
    if not changed:
        return "\n".join([*lines, f"no code to rewrite for {report.key}"])
    files = f"{changed} file{'s' if changed > 1 else ''}"
    if not report.written:
        return "\n".join([*lines, f"nothing was written: --write rewrites {files}"])
    after = f"when that is deployed: switchover flags remove {report.key} --why …"
    return "\n".join([*lines, f"{files} rewritten; {after}"])


def _places(finding: Finding) -> str:
    places = [f"{each.file}:{each.line}" for each in finding.references]
    more = f" and {len(places) - _LISTED} more" if len(places) > _LISTED else ""
    return ", ".join(places[:_LISTED]) + more or "-"


def _not_seen(unread: tuple[Unread, ...], computed: tuple[Reference, ...]) -> list[str]:
    return [
        *(f"not looked at: {each.file}: {each.reason}" for each in unread),
        *(f"asks for a computed key: {each.file}:{each.line}: {each.expression}" for each in computed),
    ]
