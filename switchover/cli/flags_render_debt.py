"""What `stale` and `remove` say."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from switchover.flags.hygiene import Finding, Reference
from switchover.operations.flag_debt import DebtReport, RemovalReport, Unread

_LISTED = 5


def render_debt(report: DebtReport, width: int | None = None) -> str:
    """A block for each flag with its findings, and what was not looked at.

    Lines are at most `width` wide, but for longer words; None: as long as they are.
    """
    counted = f"looked at: flags {report.flags}, Python files {report.files}"
    if not report.findings:
        return "\n".join([f"no flag debt; {counted}", *_not_seen(report.unread, report.computed)])
    by_flag: dict[str, list[Finding]] = {}
    for finding in report.findings:
        by_flag.setdefault(finding.flag, []).append(finding)
    blocks = ["\n".join(_block(flag, findings, width)) for flag, findings in by_flag.items()]
    return "\n".join(["\n\n".join(blocks), "", counted, *_not_seen(report.unread, report.computed)])


def _block(flag: str, findings: list[Finding], width: int | None) -> Iterator[str]:
    yield flag + (f" (owner: {findings[0].owner})" if findings[0].owner else "")
    for each in findings:
        yield from _wrap(f"{each.kind}: {each.reason}", "  ", width)
        yield from _wrap(f"next: {each.next_step}", "    ", width)
    if findings[0].references:
        yield from _wrap(f"asked in {_places(findings[0])}", "  ", width)


def _wrap(text: str, indent: str, width: int | None) -> list[str]:
    if width is None:
        return [indent + text]
    return textwrap.wrap(
        text,
        width,
        initial_indent=indent,
        subsequent_indent=f"{indent}  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


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
    if not report.complete:
        after = "first take it out of what still asks for it or was not looked at"
    return "\n".join([*lines, f"{files} rewritten; {after}"])


def _places(finding: Finding) -> str:
    places = [f"{each.file}:{each.line}" for each in finding.references]
    more = f" and {len(places) - _LISTED} more" if len(places) > _LISTED else ""
    return ", ".join(places[:_LISTED]) + more


def _not_seen(unread: tuple[Unread, ...], computed: tuple[Reference, ...]) -> list[str]:
    return [
        *(f"not looked at: {each.file}: {each.reason}" for each in unread),
        *(f"asks for a computed key: {each.file}:{each.line}: {each.expression}" for each in computed),
    ]
