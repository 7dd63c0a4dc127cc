"""Reading a checkout and planning its versions. Changes nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace

from switchover.decide.changesets import Changeset
from switchover.decide.components import Component, Service, choose_components, choose_last_tag, choose_tag_format
from switchover.decide.packages import Package
from switchover.decide.plan_settings import PlanSettings
from switchover.decide.versions import (
    PLACEHOLDER,
    Commit,
    PackageHistory,
    VersionPlan,
    plan_versions,
)
from switchover.errors import InputError
from switchover.operations.release_ports import History, Workspace, WorkspaceState


@dataclass(frozen=True, slots=True)
class ReleaseSettings:
    """What `switchover.toml` says about releases.

    An empty `tag_format` follows the shape of the repository. `compat` is the major of changesets whose rules count,
    None: the one that the repository itself declares. `channel` is the prerelease identifier of the branch that is
    checked out, empty for stable versions; `squashed` and `reverts` are as in `release.commits`.
    """

    services: tuple[Service, ...] = ()
    private_packages: bool = False
    tag_format: str = ""
    compat: int | None = None
    single_version: bool = False
    channel: str = ""
    commits: bool = True
    squashed: str = "ignore"
    reverts: str = "cancel"


@dataclass(frozen=True, slots=True)
class ReleasePlan:
    """The version plan of a checkout with what it was made from.

    `components` are the things to release, still at the versions that the manifests have now.
    """

    packages: tuple[Package, ...]
    versions: VersionPlan
    components: tuple[Component, ...]
    notices: tuple[str, ...] = ()


def plan_release(workspace: Workspace, history: History, settings: ReleaseSettings) -> ReleasePlan:
    """Plan from changesets and commits. Raises `InputError` for a checkout that cannot be planned from."""
    state = workspace.read(tuple(service.folder for service in settings.services))
    tag_format = choose_tag_format(state.packages, settings.tag_format)
    plan_settings = _combine(state, settings)
    components = choose_components(state.packages, settings.services, plan_settings, tag_format)
    histories = _read_histories(state.packages, history, tag_format)
    notices = _judge_shallow(state, history, histories)
    versions = plan_versions(state.packages, _attribute(state, history), histories, plan_settings)
    return ReleasePlan(state.packages, versions, components, notices + versions.notices)


def read_components(
    workspace: Workspace, settings: ReleaseSettings
) -> tuple[tuple[Package, ...], tuple[Component, ...]]:
    """The packages of the checkout and what is released of them, at the versions that they have now."""
    state = workspace.read(tuple(service.folder for service in settings.services))
    tag_format = choose_tag_format(state.packages, settings.tag_format)
    return state.packages, choose_components(state.packages, settings.services, _combine(state, settings), tag_format)


def _combine(state: WorkspaceState, settings: ReleaseSettings) -> PlanSettings:
    by_folder = {package.folder: package.name for package in state.packages}
    return PlanSettings(
        private_packages=settings.private_packages or state.config.private_packages,
        deployed=frozenset(by_folder[each.folder] for each in settings.services if each.folder in by_folder),
        ignore=state.config.ignore,
        fixed=state.config.fixed,
        linked=state.config.linked,
    )


def _read_histories(packages: tuple[Package, ...], history: History, tag_format: str) -> dict[str, PackageHistory]:
    tags = history.read_tags()
    commits: dict[str, tuple[Commit, ...]] = {}
    histories: dict[str, PackageHistory] = {}
    for package in packages:
        tag, version = choose_last_tag(tag_format, package.name, tags)
        if tag not in commits:
            commits[tag] = history.read_commits(tag)
        histories[package.name] = PackageHistory(version, commits[tag])
    return histories


def _judge_shallow(state: WorkspaceState, history: History, histories: dict[str, PackageHistory]) -> tuple[str, ...]:
    """A shallow clone will do where every answer lies within it."""
    untagged = [package for package in state.packages if not histories[package.name].tagged_version]
    if not untagged or not history.is_shallow():
        return ()
    if not state.changesets or any(package.version == PLACEHOLDER for package in untagged):
        raise InputError(
            "the history of this clone is cut off",
            expected=f"commits back to the last release of {untagged[0].name}",
            found="a shallow clone without its tag",
            next_step="run: git fetch --unshallow --tags",
        )
    return (f"shallow clone: commits of {', '.join(each.name for each in untagged)} were not looked at",)


def _attribute(state: WorkspaceState, history: History) -> tuple[Changeset, ...]:
    """The changesets with the commits that added them."""
    files = {changeset.id: f".changeset/{changeset.id}.md" for changeset in state.changesets}
    added = history.read_adding_commits(tuple(files.values())) if files else {}
    return tuple(replace(each, commit=added.get(files[each.id], "")) for each in state.changesets)
