"""`switchover version`: the plan, applied to the files of a checkout."""

from __future__ import annotations

from pathlib import Path

import click

from switchover.adapters.git_history import GitHistory
from switchover.adapters.release_tools import read_plan_settings
from switchover.adapters.snapshot_facts import take_snapshot
from switchover.adapters.workspace import FolderWorkspace
from switchover.adapters.workspace_writer import WorkspaceWriter
from switchover.cli.output import emit
from switchover.cli.plan import describe_plan
from switchover.decide.plan_json import plan_to_json
from switchover.operations.planning import ReleasePlan, plan_release
from switchover.operations.versioning import Rewriting, plan_rewriting

NOTHING = "Nothing to version: no changesets and no commits that ask for one."


@click.command("version")
@click.option(
    "--repo", default=".", show_default=True, type=click.Path(path_type=Path), help="The checkout to version."
)
@click.option(
    "--snapshot",
    is_flag=False,
    flag_value="",
    default=None,
    metavar="[TAG]",
    help="Make versions for a try-out, such as 0.0.0-TAG-20260101120000; not in pre-release mode.",
)
@click.option("--dry-run", is_flag=True, help="Say which files would change; write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the plan and the files as JSON.")
def version(repo: Path, snapshot: str | None, *, dry_run: bool, as_json: bool) -> None:
    """Write the next versions into the files of a checkout.

    Ranges and changelogs follow, and used changesets go. Works in any checkout, with or without a switchover.toml, and
    commits nothing. A run that was killed half-way is finished by the next one.
    """
    history, writer = GitHistory(repo), WorkspaceWriter.of_checkout(repo)
    with history.alone():
        finished = () if dry_run else writer.finish()
        if finished:
            _tell_finished(finished, as_json=as_json)
            return
        workspace = FolderWorkspace(repo)
        wanted = take_snapshot(repo, snapshot) if snapshot is not None else None
        planned = plan_release(workspace, history, read_plan_settings(repo), wanted)
        rewriting = plan_rewriting(workspace, planned.packages, planned.versions)
        if not dry_run:
            writer.write(rewriting.edits)
    _tell(planned, rewriting, as_json=as_json)


def _tell(planned: ReleasePlan, rewriting: Rewriting, *, as_json: bool) -> None:
    document = plan_to_json(planned.versions, planned.notices + rewriting.notices)
    files = [{"path": each.path, "removed": each.content is None} for each in rewriting.edits]
    document["switchover"]["files"] = files
    lines = [
        describe_plan(planned) if planned.versions.changes else NOTHING,
        *(f"note: {each}" for each in rewriting.notices),
        *(f"  {'removed' if each.content is None else 'written'}  {each.path}" for each in rewriting.edits),
    ]
    emit(document, "\n".join(lines), as_json=as_json)


def _tell_finished(paths: tuple[str, ...], *, as_json: bool) -> None:
    text = "\n".join(["Finished the interrupted run before this one.", *(f"  {path}" for path in paths)])
    emit({"switchover": {"finished": list(paths)}}, text, as_json=as_json)
