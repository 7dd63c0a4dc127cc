"""`switchover plan`: what the next release would be. Changes nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from switchover.adapters.git_history import GitHistory
from switchover.adapters.snapshot_facts import take_snapshot
from switchover.adapters.workspace import FolderWorkspace
from switchover.cli.output import emit
from switchover.decide.plan_json import explain, plan_to_json
from switchover.operations.planning import ReleasePlan, ReleaseSettings, plan_release
from switchover.operations.versioning import read_rewriting_notices

# Looked for without the code that reads it, which takes longer to load than a plan to make.
OWN_FILE = "switchover.toml"
MOST_UNRELEASED = 5


@click.command("plan")
@click.option(
    "--repo", default=".", show_default=True, type=click.Path(path_type=Path), help="The checkout to plan for."
)
@click.option(
    "--snapshot",
    is_flag=False,
    flag_value="",
    default=None,
    metavar="[TAG]",
    help="Plan versions for a try-out, such as 0.0.0-TAG-20260101120000; not in pre-release mode.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the plan in the shape of `changeset status --output`.")
def plan(repo: Path, snapshot: str | None, *, as_json: bool) -> None:
    """Plan the next versions from changesets and conventional commits.

    Works in any checkout, with or without a switchover.toml, and changes nothing.
    """
    workspace = FolderWorkspace(repo)
    wanted = take_snapshot(repo, snapshot) if snapshot is not None else None
    planned = plan_release(workspace, GitHistory(repo), _read_settings(repo), wanted, attributed=False)
    if planned.versions.changes:
        planned = replace(planned, notices=planned.notices + read_rewriting_notices(workspace, planned.versions))
    emit(plan_to_json(planned.versions, planned.notices), describe_plan(planned), as_json=as_json)


def _read_settings(repo: Path) -> ReleaseSettings:
    if not (repo / OWN_FILE).is_file():
        return ReleaseSettings()
    from switchover.adapters.release_tools import read_plan_settings  # noqa: PLC0415 - it brings every tool

    return read_plan_settings(repo)


def describe_plan(planned: ReleasePlan) -> str:
    """Write the plan for a terminal: one line per version with its reasons below it."""
    lines: list[str] = []
    for release in planned.versions.changes:
        lines.append(f"{release.name}  {release.old_version} -> {release.new_version}  ({release.type})")
        lines.append(f"    because of {explain(release)}")
    lines += _describe_unreleased(planned)
    lines += [f"note: {notice}" for notice in planned.notices]
    if len(lines) == len(planned.notices):
        lines.insert(0, "Nothing to release: no changesets, and no commits that ask for a version.")
    return "\n".join(lines)


def _describe_unreleased(planned: ReleasePlan) -> list[str]:
    """A line for each package that would be released as it stands, or one for all where they are many."""
    versions = {package.name: package.version for package in planned.packages}
    moving = {release.name for release in planned.versions.changes}
    names = [name for name in planned.versions.unreleased if name not in moving]
    if len(names) <= MOST_UNRELEASED:
        return [f"{name}  {versions[name]}  (not released yet: it has no tag)" for name in names]
    first = ", ".join(f"{name} {versions[name]}" for name in names[:MOST_UNRELEASED])
    return [f"{len(names)} packages are not released yet, they have no tag: {first} and others (--json has them all)"]
