"""Sections of a CHANGELOG, and where they go: the very text of changesets, with entries of commits beside its own.

The same plan always gives the same text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from switchover.decide.bumps import Bump
from switchover.decide.js_text import BLANKS, LINE_START
from switchover.decide.packages import Package, Section
from switchover.decide.range_rewriting import RangeRules, asks_to_move
from switchover.decide.ranges import WORKSPACE, is_range
from switchover.decide.versions import PlannedRelease, VersionPlan

HEADINGS = {Bump.MAJOR: "Major Changes", Bump.MINOR: "Minor Changes", Bump.PATCH: "Patch Changes"}
VERSION_HEADING = re.compile(rf"{LINE_START}#{{1,6}}[{BLANKS}]+[0-9]+\.[0-9]+")
SHORT = 7
# Changesets 2 leaves the layout to prettier and knows no text for an empty section.
FIRST_OWN_LAYOUT = 3


def write_section(
    package: Package, release: PlannedRelease, plan: VersionPlan, folders: Mapping[str, str], rules: RangeRules
) -> str:
    """Write the section of one release, without a blank line at its ends. `folders` are those of all packages."""
    lines: dict[Bump, list[str]] = {bump: [] for bump in HEADINGS}
    summaries: set[str] = set()
    for changeset in plan.changesets:
        bump = dict(changeset.releases).get(release.name, Bump.NONE)
        if bump is not Bump.NONE:
            lines[bump].append(_write_entry(changeset.commit, changeset.summary, rules.compat))
            summaries.add(changeset.summary)
    for entry in release.commits:
        # A commit that only repeats the summary of a changeset would say the same thing twice.
        if entry.bump in HEADINGS and entry.description not in summaries:
            lines[entry.bump].append(_write_entry(entry.sha, entry.description, rules.compat))
    updated = tuple(each for each in plan.releases if _is_updated(package, each, folders, rules))
    if updated:
        first = not lines[Bump.PATCH]
        lines[Bump.PATCH].append(_write_dependencies(updated, plan, rules.compat, first=first))
    parts = [f"## {release.new_version}"]
    for bump, heading in HEADINGS.items():
        if lines[bump]:
            parts += [f"### {heading}", _join_entries(lines[bump], rules.compat)]
    if len(parts) == 1 and rules.compat >= FIRST_OWN_LAYOUT:
        parts.append("No changes in this release.")
    return "\n\n".join(parts)


def insert_section(existing: str, section: str, *, title: str, compat: int) -> str:
    """The changelog with `section` in it; unchanged when it is in it already.

    An empty `existing` becomes a new changelog under `# title`. Else the section goes before the newest version; where
    there is none (for changesets 2: unless the file begins with one) it follows the first line.
    """
    if _holds(existing, section):
        return existing
    block = f"\n\n{section}\n"
    if not existing:
        return f"# {title}{block}"
    newest = (VERSION_HEADING.search if compat >= FIRST_OWN_LAYOUT else VERSION_HEADING.match)(existing)
    if newest is not None:
        return f"{existing[: newest.start()]}{section}\n\n{existing[newest.start() :]}"
    first, line_end, rest = existing.partition("\n")
    return f"{first}{block}{rest}" if line_end else f"{existing}{block}"


def _holds(existing: str, section: str) -> bool:
    """Whether exactly this section stands in the changelog: no entry and no heading of it follows."""
    end = rf"[{BLANKS}]*(?:\Z|{LINE_START}(?![{BLANKS}]|- |### (?:Major|Minor|Patch) Changes))"
    return re.search(rf"{LINE_START}{re.escape(section)}{end}", existing) is not None


def _write_entry(sha: str, summary: str, compat: int) -> str:
    lines = [line.rstrip(BLANKS) for line in summary.split("\n")]
    entry = "\n  ".join([f"- {sha[:SHORT]}: {lines[0]}" if sha else f"- {lines[0]}", *lines[1:]])
    return _trim_lines(entry) if compat < FIRST_OWN_LAYOUT else entry.strip(BLANKS)


def _join_entries(entries: list[str], compat: int) -> str:
    """One below the other; prettier leaves a blank line after an entry that has some itself."""
    loose = [compat < FIRST_OWN_LAYOUT and "\n\n" in entry for entry in entries[:-1]]
    ends = ["\n\n" if each else "\n" for each in loose] + [""]
    return "".join(f"{entry}{end}" for entry, end in zip(entries, ends, strict=True))


def _trim_lines(text: str) -> str:
    """As prettier leaves it, which changesets 2 lets go over a changelog."""
    return "\n".join(line.rstrip(BLANKS) for line in text.split("\n"))


def _is_updated(package: Package, release: PlannedRelease, folders: Mapping[str, str], rules: RangeRules) -> bool:
    """Whether the release is worth a line below "Updated dependencies"."""
    ranges = {each.section: each.range for each in package.dependencies if each.name == release.name}
    section = Section.RUN if ranges.get(Section.RUN) else Section.PEER
    text = ranges.get(section, "")
    if not text or not (text.startswith(WORKSPACE) or is_range(text)):
        return False
    return asks_to_move(text, section, release, folders[release.name], rules)


def _write_dependencies(updated: tuple[PlannedRelease, ...], plan: VersionPlan, compat: int, *, first: bool) -> str:
    """A line per changeset behind the updates, as changesets has it. With commits behind them, one line for all.

    With nothing behind them, changesets 3 moves the first name out, changesets 2 all names if they are `first`.
    """
    asked = {identifier for release in updated for identifier in release.changesets}
    shas = [changeset.commit[:SHORT] for changeset in plan.changesets if changeset.id in asked]
    commits = [entry.sha[:SHORT] for release in updated for entry in release.commits]
    if commits:
        shas = [", ".join(dict.fromkeys(sha for sha in shas + commits if sha))]
    heads = [f"- Updated dependencies [{sha}]" if sha else "- Updated dependencies" for sha in shas]
    names = [f"  - {release.name}@{release.new_version}" for release in updated]
    if compat >= FIRST_OWN_LAYOUT:
        return "\n".join([*heads, *names]).strip(BLANKS)
    return "\n".join([*heads, *names] if heads or not first else [name.strip() for name in names])
