"""From changesets and commits to the next version of every package: the plan, as a value.

Changesets follow the rules of changesets 3, or of 2 where the settings say so. Where changesets and commits both
speak, the higher bump wins.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from switchover.decide.bumps import Bump, choose_highest
from switchover.decide.changesets import Changeset, refuse_mixed
from switchover.decide.intents import (
    PLACEHOLDER,
    RELEASE_TOKEN,
    Commit,
    CommitEntry,
    Intent,
    PackageHistory,
    read_intents,
)
from switchover.decide.packages import Package
from switchover.decide.plan_settings import NEWEST, PlanSettings, Scope, read_scope
from switchover.decide.prerelease import (
    Mode,
    PreState,
    choose_unused,
    count_prereleases,
    note_used,
    separate_used,
)
from switchover.decide.prerelease_channel import increment_on_channel
from switchover.decide.propagation import Draft, Increment, propagate
from switchover.decide.snapshot import BASE, Snapshot, write_suffix
from switchover.decide.version_text import next_version, parse_version
from switchover.errors import InputError

__all__ = [
    "PLACEHOLDER",
    "RELEASE_TOKEN",
    "Commit",
    "CommitEntry",
    "PackageHistory",
    "PlannedRelease",
    "VersionPlan",
    "plan_versions",
]


@dataclass(frozen=True, slots=True)
class PlannedRelease:
    """The next version of one package, with what asked for it."""

    name: str
    type: Bump
    old_version: str
    new_version: str
    changesets: tuple[str, ...] = ()
    commits: tuple[CommitEntry, ...] = ()


@dataclass(frozen=True, slots=True)
class VersionPlan:
    """What will be versioned. `unreleased` are packages whose present version was never released.

    `notices` are sentences about what the plan left out, and why. `pre_state` is the prerelease mode of changesets
    after the plan, None outside of it; `compat` the major whose rules were followed. `snapshot`: the versions are
    those of a snapshot. `skipped` are the packages that are never versioned.
    """

    changesets: tuple[Changeset, ...] = ()
    releases: tuple[PlannedRelease, ...] = ()
    unreleased: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    pre_state: PreState | None = None
    compat: int = NEWEST
    snapshot: bool = False
    skipped: frozenset[str] = frozenset()

    @property
    def changes(self) -> tuple[PlannedRelease, ...]:
        """The releases that move a version."""
        return tuple(release for release in self.releases if release.type is not Bump.NONE)


def plan_versions(
    packages: tuple[Package, ...],
    changesets: tuple[Changeset, ...],
    histories: dict[str, PackageHistory],
    settings: PlanSettings,
    *,
    pre_state: PreState | None = None,
    snapshot: Snapshot | None = None,
) -> VersionPlan:
    """Plan the next versions. Raises `InputError` for what contradicts itself or the workspace."""
    _refuse_two_kinds_of_prereleases(settings, pre_state, snapshot)
    state, listed = separate_used(pre_state, changesets, settings.compat)
    scope = read_scope(packages, settings)
    refuse_mixed(listed, frozenset(package.name for package in packages), scope.skipped)
    relevant = choose_unused(state, listed)
    intents = read_intents(packages, scope, settings, histories, in_mode=state is not None)
    based = tuple(_rebase(package, intents.get(package.name)) for package in packages)
    counts = count_prereleases(based, scope.skipped, scope.fixed + scope.linked) if state else {}
    increment = _choose_increment(based, scope, settings, histories, state, counts)
    drafts = _flatten(relevant, intents, based, scope.skipped)
    settled = propagate(based, drafts, scope, settings, increment)
    if state is not None and state.mode is Mode.EXIT:
        settled = _end_prereleases(settled, based, scope.skipped, counts, settings.compat)
    suffix = write_suffix(snapshot, settings.snapshot_template, settings.compat) if snapshot else ""
    strangers = tuple(f"{name!r} in .changeset/config.json matches no package" for name in scope.strangers)
    return VersionPlan(
        changesets=relevant,
        releases=tuple(_finish(draft, intents.get(draft.name), settings, increment, suffix) for draft in settled),
        unreleased=tuple(name for name, intent in intents.items() if intent.unreleased),
        notices=strangers + tuple(notice for intent in intents.values() for notice in intent.notices),
        pre_state=note_used(state, listed, packages) if state and settings.compat < NEWEST else state,
        compat=settings.compat,
        snapshot=snapshot is not None,
        skipped=scope.skipped,
    )


def _refuse_two_kinds_of_prereleases(settings: PlanSettings, state: PreState | None, snapshot: Snapshot | None) -> None:
    if state is None or not (settings.channel or (snapshot is not None and state.mode is Mode.PRE)):
        return
    other = "the branch is a prerelease channel" if settings.channel else "a snapshot was asked for"
    raise InputError(
        "the next versions cannot be two kinds of prereleases at once",
        expected="either the prerelease mode of changesets, or a channel or a snapshot",
        found=f".changeset/pre.json with the mode {state.mode.value!r}, and {other}",
        next_step="leave the mode first: changeset pre exit",
    )


def _rebase(package: Package, intent: Intent | None) -> Package:
    """The package at the version that its history calls the present one."""
    if intent is None or intent.base_version == package.version:
        return package
    return replace(package, version=intent.base_version)


def _choose_increment(
    packages: tuple[Package, ...],
    scope: Scope,
    settings: PlanSettings,
    histories: dict[str, PackageHistory],
    state: PreState | None,
    counts: Mapping[str, int],
) -> Increment:
    """How a version grows: plainly, or to the next prerelease of the mode or of the channel."""
    if state is not None and state.mode is Mode.PRE:
        tag = state.tag
        return lambda name, old, bump: old if bump is Bump.NONE else f"{next_version(old, bump)}-{tag}.{counts[name]}"
    if settings.channel:
        taken = {
            package.name: {package.version, *histories.get(package.name, PackageHistory()).released}
            for package in packages
        }
        return increment_on_channel(settings.channel, taken, scope.fixed + scope.linked)
    return lambda _, old, bump: next_version(old, bump)


def _flatten(
    changesets: tuple[Changeset, ...],
    intents: dict[str, Intent],
    packages: tuple[Package, ...],
    skipped: frozenset[str],
) -> tuple[Draft, ...]:
    """One draft per package: changesets in their order first, then commits in the order of the workspace."""
    versions = {package.name: package.version for package in packages}
    asked: dict[str, list[tuple[Bump, str]]] = {}
    for changeset in changesets:
        for name, bump in changeset.releases:
            if name not in skipped:
                asked.setdefault(name, []).append((bump, changeset.id))
    for name, intent in intents.items():
        if intent.bump is not Bump.NONE:
            asked.setdefault(name, [])
    return tuple(
        Draft(
            name,
            choose_highest([intents[name].bump, *(bump for bump, _ in wishes)]),
            versions[name],
            tuple(identifier for _, identifier in wishes),
        )
        for name, wishes in asked.items()
    )


def _end_prereleases(
    drafts: tuple[Draft, ...],
    packages: tuple[Package, ...],
    skipped: frozenset[str],
    counts: Mapping[str, int],
    compat: int,
) -> tuple[Draft, ...]:
    """Every prerelease becomes a version of its own. Changesets 2 also moves packages that are never versioned."""
    ended = {draft.name: draft for draft in drafts}
    for package in packages:
        name = package.name
        if name in skipped and (compat >= NEWEST or name in ended or not package.version):
            continue
        if counts.get(name) == 0:
            continue
        if name not in ended:
            ended[name] = Draft(name, Bump.PATCH, package.version)
        elif ended[name].type is Bump.NONE:
            ended[name] = replace(ended[name], type=Bump.PATCH)
    return tuple(ended.values())


def _finish(
    draft: Draft, intent: Intent | None, settings: PlanSettings, increment: Increment, suffix: str
) -> PlannedRelease:
    old, bump = draft.old_version, draft.type
    new = increment(draft.name, old, bump) if old else ""
    if suffix and bump is not Bump.NONE:
        new = f"{new if settings.calculated_snapshots else BASE}-{suffix}"
    if new and bump is not Bump.NONE and parse_version(new) is None:
        raise InputError(
            f"{draft.name} cannot get the version after {old}",
            expected="one that npm takes: letters, digits, hyphens and dots after the number, no number above "
            "9007199254740991, at most 256 characters",
            found=new,
            next_step="correct 'snapshot.prereleaseTemplate' in .changeset/config.json, or the tag"
            if suffix
            else "choose another version in its manifest",
        )
    return PlannedRelease(draft.name, bump, old, new, draft.changesets, intent.entries if intent else ())
