"""From changesets and commits to the next version of every package: the plan, as a value.

Changesets follow the rules of changesets 3. Commits count from the point at which the manifest's version was
released: its tag, or the release commit that set it. A version in a manifest that was never released is a
decision of its own and is released as it stands, except `0.0.0`, the usual placeholder: there every commit
counts. Where both speak, the higher bump wins.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from switchover.decide.bumps import Bump, choose_highest
from switchover.decide.changesets import Changeset
from switchover.decide.commits import ConventionalCommit, judge_commit, parse_commit
from switchover.decide.packages import Package, find_bundled, find_owner
from switchover.decide.plan_settings import PlanSettings, expand_names, is_skipped, refuse_overlap
from switchover.decide.propagation import Draft, propagate
from switchover.decide.version_text import next_version, parse_version
from switchover.errors import InputError

PLACEHOLDER = "0.0.0"
RELEASE_TOKEN = "Switchover-Release"  # noqa: S105 - the token of a commit footer, not a secret


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit of the history with the paths that it touched, relative to the root of the workspace."""

    sha: str
    message: str
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PackageHistory:
    """The version of the last tag of a package (empty: none) and the commits since it, newest first."""

    tagged_version: str = ""
    commits: tuple[Commit, ...] = ()


@dataclass(frozen=True, slots=True)
class CommitEntry:
    """A commit that asked for a version change of one package."""

    sha: str
    type: str
    description: str
    bump: Bump


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

    `notices` are sentences about what the plan left out, and why.
    """

    changesets: tuple[Changeset, ...] = ()
    releases: tuple[PlannedRelease, ...] = ()
    unreleased: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()

    @property
    def changes(self) -> tuple[PlannedRelease, ...]:
        """The releases that move a version."""
        return tuple(release for release in self.releases if release.type is not Bump.NONE)


@dataclass(frozen=True, slots=True)
class _Sources:
    """The workspace, and the names in it whose folders belong to one package."""

    packages: tuple[Package, ...]
    own: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Intent:
    """What the history of one package says."""

    base_version: str
    entries: tuple[CommitEntry, ...] = ()
    unreleased: bool = False
    notices: tuple[str, ...] = field(default=())


def plan_versions(
    packages: tuple[Package, ...],
    changesets: tuple[Changeset, ...],
    histories: dict[str, PackageHistory],
    settings: PlanSettings,
) -> VersionPlan:
    """Plan the next versions. Raises `InputError` for what contradicts itself or the workspace."""
    ignored = frozenset(expand_names(settings.ignore, packages, "ignore"))
    skipped = frozenset(package.name for package in packages if is_skipped(package, ignored, settings))
    active = _choose_active(changesets, packages, skipped)
    intents = {
        package.name: _read_intent(
            package, _list_sources(package, packages, skipped, settings), histories.get(package.name, PackageHistory())
        )
        for package in packages
        if package.name not in skipped
    }
    based = tuple(_rebase(package, intents.get(package.name)) for package in packages)
    drafts = _flatten(active, {name: intent.entries for name, intent in intents.items()}, based)
    groups = tuple(
        tuple(expand_names(group, packages, kind) for group in groups)
        for kind, groups in (("fixed", settings.fixed), ("linked", settings.linked))
    )
    refuse_overlap(groups[0] + groups[1])
    finished = propagate(based, drafts, skipped, settings.deployed, fixed=groups[0], linked=groups[1])
    return VersionPlan(
        changesets=changesets,
        releases=tuple(_finish(draft, intents.get(draft.name)) for draft in finished),
        unreleased=tuple(name for name, intent in intents.items() if intent.unreleased),
        notices=tuple(notice for intent in intents.values() for notice in intent.notices),
    )


def _choose_active(
    changesets: tuple[Changeset, ...], packages: tuple[Package, ...], skipped: frozenset[str]
) -> tuple[Changeset, ...]:
    """The changesets that count; one about skipped packages alone is inert."""
    known = {package.name for package in packages}
    active: list[Changeset] = []
    for changeset in changesets:
        file = f".changeset/{changeset.id}.md"
        names = [name for name, _ in changeset.releases]
        unknown = [name for name in names if name not in known]
        if unknown:
            raise InputError(
                f"{file} names a package that does not exist",
                expected=f"one of: {', '.join(sorted(known)) or 'no package at all'}",
                found=repr(unknown[0]),
                next_step="correct the name in the changeset, or delete the file",
            )
        left_out = [name for name in names if name in skipped]
        if left_out and len(left_out) < len(names):
            raise InputError(
                f"{file} mixes packages that are versioned with one that is not",
                expected="only packages that are versioned, or only ones that are not",
                found=f"{left_out[0]!r}, which is ignored, private or without a version",
                next_step="split the changeset in two",
            )
        if not left_out:
            active.append(changeset)
    return tuple(active)


def _list_sources(
    package: Package, packages: tuple[Package, ...], skipped: frozenset[str], settings: PlanSettings
) -> _Sources:
    """What counts as the package's own code: its folder, and what it carries that has no version of its own."""
    own = {package.name}
    if package.name in settings.deployed:
        own |= {inside.name for inside in find_bundled(packages, package.name) if inside.name in skipped}
    return _Sources(packages, frozenset(own))


def _read_intent(package: Package, sources: _Sources, history: PackageHistory) -> _Intent:
    """Which commits ask for a change of this package, and from which version on."""
    version = parse_version(package.version)
    if version is None:
        raise InputError(
            f"{package.manifest} has a version that cannot be planned from",
            expected="a semantic version such as 1.4.0",
            found=repr(package.version),
            next_step="correct the version in the manifest",
        )
    tagged = parse_version(history.tagged_version) if history.tagged_version else None
    since = _commits_since_marker(package, history.commits)
    if since is None and tagged is not None and tagged >= version:
        notice = f"{package.name}: the last tag {tagged} is ahead of {package.version} in {package.manifest}"
        entries = _read_entries(sources, history.commits)
        return _Intent(str(tagged), entries, notices=(notice,) if tagged > version else ())
    if since is not None:
        return _Intent(package.version, _read_entries(sources, since))
    if package.version == PLACEHOLDER:
        return _Intent(package.version, _read_entries(sources, history.commits))
    return _Intent(package.version, unreleased=True)


def _commits_since_marker(package: Package, commits: tuple[Commit, ...]) -> tuple[Commit, ...] | None:
    """The commits after the release commit that set the present version, or None if there is none."""
    marker = f"{RELEASE_TOKEN}: {package.name}@{package.version}"
    for at, commit in enumerate(commits):
        if marker in commit.message.splitlines():
            return commits[:at]
    return None


def _read_entries(sources: _Sources, commits: tuple[Commit, ...]) -> tuple[CommitEntry, ...]:
    entries: list[CommitEntry] = []
    for commit in commits:
        owners = (find_owner(sources.packages, path) for path in commit.paths)
        if not any(owner is not None and owner.name in sources.own for owner in owners):
            continue
        parsed = parse_commit(commit.message)
        bump = judge_commit(parsed)
        if isinstance(parsed, ConventionalCommit) and bump is not Bump.NONE:
            entries.append(CommitEntry(commit.sha, parsed.type, parsed.description, bump))
    return tuple(entries)


def _rebase(package: Package, intent: _Intent | None) -> Package:
    """The package at the version that its history calls the present one."""
    if intent is None or intent.base_version == package.version:
        return package
    return Package(
        package.name, package.folder, intent.base_version, package.kind, package.private, package.dependencies
    )


def _flatten(
    changesets: tuple[Changeset, ...], entries: dict[str, tuple[CommitEntry, ...]], packages: tuple[Package, ...]
) -> tuple[Draft, ...]:
    """One draft per package: changesets in their order first, then commits in the order of the workspace."""
    versions = {package.name: package.version for package in packages}
    asked: dict[str, list[tuple[Bump, str]]] = {}
    for changeset in changesets:
        for name, bump in changeset.releases:
            asked.setdefault(name, []).append((bump, changeset.id))
    for name, commits in entries.items():
        if commits:
            asked.setdefault(name, [])
    return tuple(
        Draft(
            name,
            choose_highest([bump for bump, _ in wishes] + [entry.bump for entry in entries.get(name, ())]),
            versions[name],
            tuple(identifier for _, identifier in wishes),
        )
        for name, wishes in asked.items()
    )


def _finish(draft: Draft, intent: _Intent | None) -> PlannedRelease:
    new = next_version(draft.old_version, draft.type) if draft.old_version else ""
    return PlannedRelease(
        draft.name, draft.type, draft.old_version, new, draft.changesets, intent.entries if intent else ()
    )
