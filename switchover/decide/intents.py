"""What the history of each package asks for: commits since its last release, read as conventional ones.

Commits count from the point at which the manifest's version was released: its tag, or the release commit that set
it. A version in a manifest that was never released is a decision of its own and is released as it stands, except
`0.0.0`, the usual placeholder: there every commit counts.
"""

from __future__ import annotations

from dataclasses import dataclass

from semver import Version

from switchover.decide.bumps import Bump, choose_highest
from switchover.decide.commits import judge_commit
from switchover.decide.packages import Package, find_bundled, find_owner, map_folders
from switchover.decide.plan_settings import PlanSettings, Scope
from switchover.decide.read_commits import read_commits
from switchover.decide.version_text import parse_version
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
    """The version of the last release of a package (empty: none) and the commits since it, newest first.

    `since_stable` are those since the last release that is no prerelease, if there is one (`has_stable`).
    `released` are all its released versions. `ours`: the present version was set by a release commit of ours.
    """

    tagged_version: str = ""
    commits: tuple[Commit, ...] = ()
    has_stable: bool = False
    since_stable: tuple[Commit, ...] = ()
    released: tuple[str, ...] = ()
    ours: bool = False


@dataclass(frozen=True, slots=True)
class CommitEntry:
    """A commit that asked for a version change of one package."""

    sha: str
    type: str
    description: str
    bump: Bump


@dataclass(frozen=True, slots=True)
class Intent:
    """What the history of one package says: `least` is the smallest change that will do, entries or not."""

    base_version: str
    entries: tuple[CommitEntry, ...] = ()
    least: Bump = Bump.NONE
    unreleased: bool = False
    notices: tuple[str, ...] = ()

    @property
    def bump(self) -> Bump:
        """The change that the history asks for."""
        return choose_highest([self.least, *(entry.bump for entry in self.entries)])


class _Reader:
    """Reads commits. Whose files one touches is looked up once, however many packages ask."""

    def __init__(
        self, packages: tuple[Package, ...], settings: PlanSettings, histories: dict[str, PackageHistory]
    ) -> None:
        self._folders = map_folders(packages)
        self._settings = settings
        self._seen: set[str] = set()
        self._touching: dict[str, set[str]] = {}
        self._markers = _find_markers(histories)

    def read(self, own: frozenset[str], commits: tuple[Commit, ...]) -> tuple[CommitEntry, ...]:
        """The entries of the commits that touch one of these packages."""
        for commit in commits:
            if commit.sha not in self._seen:
                self._note(commit)
        shas = set().union(*(self._touching.get(name, ()) for name in own))
        touching = [(commit.sha, commit.message) for commit in commits if commit.sha in shas]
        return tuple(
            CommitEntry(read.sha, commit.type, commit.description, judge_commit(commit))
            for read in read_commits(touching, self._settings.squashed, self._settings.reverts)
            for commit in read.commits
            if judge_commit(commit) is not Bump.NONE
        )

    def read_since_marker(self, package: Package, commits: tuple[Commit, ...]) -> tuple[Commit, ...] | None:
        """The commits after the release commit that set the present version, or None if there is none."""
        shas = self._markers.get(f"{RELEASE_TOKEN}: {package.name}@{package.version}", set())
        ends = (at for at, commit in enumerate(commits) if commit.sha in shas)
        return next((commits[:at] for at in ends), None) if shas else None

    def _note(self, commit: Commit) -> None:
        self._seen.add(commit.sha)
        for name in {find_owner(self._folders, path) for path in commit.paths}:
            self._touching.setdefault(name, set()).add(commit.sha)


def read_intents(
    packages: tuple[Package, ...],
    scope: Scope,
    settings: PlanSettings,
    histories: dict[str, PackageHistory],
    *,
    in_mode: bool,
) -> dict[str, Intent]:
    """The intent of every package that is versioned, in the order of the workspace.

    `in_mode`: changesets' own prerelease mode says when prereleases end. Raises `InputError` for a version that is
    none, naming its file.
    """
    reader = _Reader(packages, settings, histories)
    return {
        package.name: Intent(str(_require_version(package)))
        if settings.is_silent(package)
        else _read_intent(
            package,
            _list_own(package, packages, scope, settings),
            histories.get(package.name, PackageHistory()),
            reader,
            settings.channel,
            in_mode=in_mode,
        )
        for package in packages
        if package.name not in scope.skipped
    }


def _list_own(package: Package, packages: tuple[Package, ...], scope: Scope, settings: PlanSettings) -> frozenset[str]:
    """What counts as the package's own code: its folder, and what it carries that has no version of its own."""
    own = {package.name}
    if package.name in settings.deployed:
        own |= {inside.name for inside in find_bundled(packages, package.name) if inside.name in scope.skipped}
    return frozenset(own)


def _read_intent(
    package: Package, own: frozenset[str], history: PackageHistory, reader: _Reader, channel: str, *, in_mode: bool
) -> Intent:
    intent = _read_since_release(package, own, history, reader)
    if intent.unreleased or in_mode:
        return intent
    version = parse_version(intent.base_version)
    if channel:
        # Whether there is something new depends on the last prerelease, how far it goes on the last stable version.
        total = reader.read(own, history.since_stable) if intent.entries else ()
        least = choose_highest(entry.bump for entry in total)
        return Intent(intent.base_version, intent.entries, least, notices=intent.notices)
    if version is not None and version.prerelease and (history.has_stable or history.ours):
        entries = reader.read(own, history.since_stable) if history.has_stable else intent.entries
        return Intent(intent.base_version, entries, Bump.PATCH if history.ours else Bump.NONE, notices=intent.notices)
    return intent


def _read_since_release(package: Package, own: frozenset[str], history: PackageHistory, reader: _Reader) -> Intent:
    """Which commits ask for a change of this package, and from which version on."""
    version = _require_version(package)
    tagged = parse_version(history.tagged_version) if history.tagged_version else None
    since = reader.read_since_marker(package, history.commits) if tagged != version else None
    if since is None and tagged is not None and tagged >= version:
        notice = f"{package.name}: the last tag {tagged} is ahead of {package.version} in {package.manifest}"
        entries = reader.read(own, history.commits)
        return Intent(str(tagged), entries, notices=(notice,) if tagged > version else ())
    if since is not None:
        return Intent(package.version, reader.read(own, since))
    if package.version == PLACEHOLDER:
        return Intent(package.version, reader.read(own, history.commits))
    return Intent(package.version, unreleased=True)


def _require_version(package: Package) -> Version:
    version = parse_version(package.version)
    if version is None:
        raise InputError(
            f"{package.manifest} has a version that cannot be planned from",
            expected="a semantic version such as 1.4.0",
            found=repr(package.version),
            next_step="correct the version in the manifest",
        )
    return version


def _find_markers(histories: dict[str, PackageHistory]) -> dict[str, set[str]]:
    """The commits that have each line of a release commit in their message."""
    # Packages that were released together have the very same commits.
    distinct = {id(history.commits): history.commits for history in histories.values()}.values()
    found: dict[str, set[str]] = {}
    for commit in (commit for commits in distinct for commit in commits if RELEASE_TOKEN in commit.message):
        for line in commit.message.splitlines():
            if line.startswith(RELEASE_TOKEN):
                found.setdefault(line, set()).add(commit.sha)
    return found
