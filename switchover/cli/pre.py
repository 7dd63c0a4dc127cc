"""`switchover pre`: the pre-release mode of changesets, switched on and off."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import click

from switchover.adapters.git_history import GitHistory
from switchover.adapters.release_tools import read_plan_settings
from switchover.adapters.workspace import FolderWorkspace
from switchover.adapters.workspace_writer import WorkspaceWriter
from switchover.cli.output import emit
from switchover.decide.edits import Edit
from switchover.decide.pre_switch import enter_pre, leave_pre, write_pre_state
from switchover.decide.prerelease import FILE as PRE_FILE
from switchover.decide.prerelease import PreState
from switchover.errors import InputError
from switchover.operations.planning import combine_settings
from switchover.operations.release_ports import WorkspaceState

TAG = re.compile(r"[A-Za-z][0-9A-Za-z-]*")

_repo_option = click.option(
    "--repo", default=".", show_default=True, type=click.Path(path_type=Path), help="The checkout."
)
_json_option = click.option("--json", "as_json", is_flag=True, help="Print the state as JSON.")


@click.group("pre")
def pre() -> None:
    """Enter or leave the pre-release mode of changesets.

    In it `switchover version` makes versions such as 1.2.0-beta.0. Both commands take --repo and --json.
    """


@pre.command("enter")
@click.argument("tag")
@_repo_option
@_json_option
def enter(tag: str, repo: Path, *, as_json: bool) -> None:
    """Make versions prereleases from now on, TAG being their identifier: alpha, beta, rc."""
    if TAG.fullmatch(tag) is None:
        raise InputError(
            "the pre-release mode cannot be entered",
            expected="a tag of letters, digits and hyphens that begins with a letter, such as beta",
            found=repr(tag),
            next_step="choose another tag",
        )
    state = _switch(repo, lambda present: enter_pre(present.pre_state, tag, present.packages))
    _tell(state, f"Entered the pre-release mode {tag}: `switchover version` makes prereleases.", as_json=as_json)


@pre.command("exit")
@_repo_option
@_json_option
def leave(repo: Path, *, as_json: bool) -> None:
    """Make the next versions stable ones."""
    state = _switch(repo, lambda present: leave_pre(present.pre_state))
    _tell(state, "Left the pre-release mode: `switchover version` makes stable versions.", as_json=as_json)


def _switch(repo: Path, choose: Callable[[WorkspaceState], PreState]) -> PreState:
    """Write the state that `choose` makes of the checkout's."""
    with GitHistory(repo).alone():
        settings = read_plan_settings(repo)
        present = FolderWorkspace(repo).read(tuple(service.folder for service in settings.services))
        state = choose(present)
        text = write_pre_state(state, combine_settings(present, settings).compat)
        WorkspaceWriter.of_checkout(repo).write((Edit(PRE_FILE, text),))
    return state


def _tell(state: PreState, text: str, *, as_json: bool) -> None:
    emit({"mode": state.mode.value, "tag": state.tag}, text, as_json=as_json)
