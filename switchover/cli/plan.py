"""`switchover plan`: what the next release would be. Changes nothing."""

from __future__ import annotations

from pathlib import Path

import click

from switchover.adapters.git_history import GitHistory
from switchover.adapters.workspace import FolderWorkspace
from switchover.cli.output import emit
from switchover.decide.plan_json import explain, plan_to_json
from switchover.operations.planning import ReleasePlan, ReleaseSettings, plan_release

# Looked for without the code that reads it, which takes longer to load than a plan to make.
OWN_FILE = "switchover.toml"


@click.command("plan")
@click.option(
    "--repo", default=".", show_default=True, type=click.Path(path_type=Path), help="The checkout to plan for."
)
@click.option("--json", "as_json", is_flag=True, help="Print the plan in the shape of `changeset status --output`.")
def plan(repo: Path, *, as_json: bool) -> None:
    """Plan the next versions from changesets and conventional commits.

    Works in any checkout, with or without a switchover.toml, and changes nothing.
    """
    planned = plan_release(FolderWorkspace(repo), GitHistory(repo), _read_settings(repo), attributed=False)
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
    versions = {package.name: package.version for package in planned.packages}
    moving = {release.name for release in planned.versions.changes}
    lines += [
        f"{name}  {versions[name]}  (not released yet: it has no tag)"
        for name in planned.versions.unreleased
        if name not in moving
    ]
    lines += [f"note: {notice}" for notice in planned.notices]
    return "\n".join(lines) or "Nothing to release: no changesets, and no commits that ask for a version."
