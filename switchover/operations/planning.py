"""Reading a checkout and planning its versions. Changes nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace

from switchover.decide.changeset_config import choose_settings
from switchover.decide.changesets import Changeset
from switchover.decide.components import Component, Service, choose_components, choose_tag_format
from switchover.decide.packages import Package
from switchover.decide.plan_settings import NEWEST, PlanSettings, read_scope
from switchover.decide.prerelease import USED_FOLDER
from switchover.decide.release_files import refuse_same_files
from switchover.decide.snapshot import Snapshot
from switchover.decide.unreadable_ranges import refuse_unreadable_ranges
from switchover.decide.versions import VersionPlan, plan_versions
from switchover.operations.package_histories import read_histories
from switchover.operations.release_ports import History, Workspace, WorkspaceState


@dataclass(frozen=True, slots=True)
class ReleaseSettings:
    """What `switchover.toml` says about releases.

    An empty `tag_format` follows the shape of the repository. `compat` is the major of changesets whose rules count,
    None: the one that the repository itself declares. `channel` is the prerelease identifier of the branch that is
    checked out, empty for stable versions; `squashed` and `reverts` are as in `release.commits`.
    `proposed`: new versions go into a pull request instead of a commit. `branches` are globs of those that may be
    released from, empty: any.
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
    proposed: bool = False
    branches: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReleasePlan:
    """The version plan of a checkout with what it was made from.

    `components` are the things to release, still at the versions that the manifests have now.
    """

    packages: tuple[Package, ...]
    versions: VersionPlan
    components: tuple[Component, ...]
    notices: tuple[str, ...] = ()


def plan_release(
    workspace: Workspace,
    history: History,
    settings: ReleaseSettings,
    snapshot: Snapshot | None = None,
    *,
    attributed: bool = True,
) -> ReleasePlan:
    """Plan from changesets and commits. Raises `InputError` for a checkout that cannot be planned from.

    Unless `attributed`, nobody looks which commits added the changesets; only changelogs need that.
    """
    state = workspace.read(tuple(service.folder for service in settings.services))
    tag_format = choose_tag_format(state.packages, settings.tag_format, single_version=settings.single_version)
    plan_settings = combine_settings(state, settings)
    components = choose_components(state.packages, settings.services, plan_settings, tag_format)
    refuse_same_files(components)
    refuse_unreadable_ranges(state.packages)
    scope = read_scope(state.packages, plan_settings)
    telling = tuple(
        package
        for package in state.packages
        if package.name not in scope.skipped and not plan_settings.is_silent(package)
    )
    histories, notices = read_histories(
        telling,
        history,
        tag_format,
        commits=settings.commits,
        has_changesets=bool(state.changesets),
        far=bool(settings.channel),
    )
    versions = plan_versions(
        state.packages,
        _attribute(state, history) if attributed else state.changesets,
        histories,
        plan_settings,
        pre_state=state.pre_state,
        snapshot=snapshot,
    )
    return ReleasePlan(state.packages, versions, components, notices + versions.notices)


def read_components(
    workspace: Workspace, settings: ReleaseSettings
) -> tuple[tuple[Package, ...], tuple[Component, ...]]:
    """The packages of the checkout and what is released of them, at the versions that they have now."""
    state = workspace.read(tuple(service.folder for service in settings.services))
    tag_format = choose_tag_format(state.packages, settings.tag_format, single_version=settings.single_version)
    plan_settings = combine_settings(state, settings)
    return state.packages, choose_components(state.packages, settings.services, plan_settings, tag_format)


def combine_settings(state: WorkspaceState, settings: ReleaseSettings) -> PlanSettings:
    """What `switchover.toml` and `.changeset/config.json` say together.

    Without a stated `compat` the rules are those of the changesets that the repository itself declares, 3 if none.
    """
    by_folder = {package.folder: package.name for package in state.packages}
    compat = settings.compat or state.changesets_major or NEWEST
    chosen = choose_settings(state.config, min(compat, NEWEST))
    return replace(
        chosen,
        private_packages=settings.private_packages or chosen.private_packages,
        # What changesets 2 does unasked is no wish to version every example and fixture for its commits.
        private_commits=settings.private_packages or state.config.private_packages is True,
        deployed=frozenset(by_folder[each.folder] for each in settings.services if each.folder in by_folder),
        single_version=settings.single_version,
        channel=settings.channel,
        squashed=settings.squashed,
        reverts=settings.reverts,
    )


def _attribute(state: WorkspaceState, history: History) -> tuple[Changeset, ...]:
    """The changesets with the commits that added them; one that a prerelease has used keeps its first commit."""
    firsts = {each.path: each.path.replace(f"/{USED_FOLDER}", "/", 1) for each in state.changesets}
    added = history.read_adding_commits(tuple(dict.fromkeys([*firsts, *firsts.values()]))) if firsts else {}
    commits = {path: added.get(first, added[path]) for path, first in firsts.items() if path in added}
    return tuple(replace(each, commit=commits.get(each.path, "")) for each in state.changesets)
