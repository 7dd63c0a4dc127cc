"""Sections of a CHANGELOG, and where they go. The same plan always gives the same text."""

from __future__ import annotations

import re

from switchover.decide.bumps import Bump
from switchover.decide.packages import Package, Section
from switchover.decide.versions import PlannedRelease, VersionPlan

HEADINGS = {Bump.MAJOR: "Major Changes", Bump.MINOR: "Minor Changes", Bump.PATCH: "Patch Changes"}
SECTION = re.compile(r"^## +\[?v?(?P<title>[^\]\s]+)", re.MULTILINE)


def write_section(package: Package, release: PlannedRelease, plan: VersionPlan) -> str:
    """Write the section of one release, without a blank line at its ends."""
    lines: dict[Bump, list[str]] = {bump: [] for bump in HEADINGS}
    summaries: set[str] = set()
    for changeset in plan.changesets:
        bump = dict(changeset.releases).get(release.name, Bump.NONE)
        if bump is not Bump.NONE and changeset.id in release.changesets:
            lines[bump].append(_write_entry(changeset.commit, changeset.summary))
            summaries.add(changeset.summary)
    for entry in release.commits:
        # A commit that only repeats the summary of a changeset would say the same thing twice.
        if entry.description not in summaries:
            lines[entry.bump].append(_write_entry(entry.sha, entry.description))
    lines[Bump.PATCH] += _write_dependencies(package, plan)
    parts = [f"## {release.new_version}"]
    for bump, heading in HEADINGS.items():
        if lines[bump]:
            parts += [f"### {heading}", "\n".join(lines[bump])]
    return "\n\n".join(parts)


def insert_section(existing: str, section: str, *, title: str) -> str:
    """The changelog with `section` before the newest release; unchanged when that version is in it already.

    An empty `existing` becomes a new changelog under `# title`. A section `Unreleased` stays on top.
    """
    version = _read_title(section)
    found = list(SECTION.finditer(existing))
    if version in {match["title"] for match in found}:
        return existing
    if not existing.strip():
        return f"# {title}\n\n{section}\n"
    newest = next((match for match in found if match["title"].lower() != "unreleased"), None)
    if newest is None:
        return f"{existing.rstrip()}\n\n{section}\n"
    return f"{existing[: newest.start()].rstrip()}\n\n{section}\n\n{existing[newest.start() :]}"


def _read_title(section: str) -> str:
    match = SECTION.match(section)
    return match["title"] if match else ""


def _write_entry(sha: str, summary: str) -> str:
    first, *rest = summary.strip().split("\n")
    head = f"- {sha[:7]}: {first}" if sha else f"- {first}"
    return "\n".join([head, *(f"  {line}".rstrip() for line in rest)])


def _write_dependencies(package: Package, plan: VersionPlan) -> list[str]:
    names = {dependency.name for dependency in package.dependencies if dependency.section is not Section.DEV}
    updated = [release for release in plan.changes if release.name in names and release.name != package.name]
    if not updated:
        return []
    asked = {identifier for release in updated for identifier in release.changesets}
    shas = [changeset.commit[:7] for changeset in plan.changesets if changeset.id in asked and changeset.commit]
    shas += [entry.sha[:7] for release in updated for entry in release.commits]
    heads = [f"- Updated dependencies [{sha}]" for sha in dict.fromkeys(shas)] or ["- Updated dependencies"]
    return [*heads, *(f"  - {release.name}@{release.new_version}" for release in updated)]
