"""The settings of a version plan: which packages are versioned, and which move together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from switchover.decide.globs import is_negated, is_understood, matches, select, select_by_pattern
from switchover.decide.packages import Package, find_dependents
from switchover.decide.read_commits import CANCEL, IGNORE
from switchover.errors import InputError

NEWEST = 3
Groups = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class PlanSettings:
    """What changes the plan. Groups and `ignore` hold package names or globs.

    `private_packages`: version private packages too; `private_commits`: for their commits, not only for changesets
    and for what they depend on. `deployed` names packages that are deployed: they are
    always versioned, and rebuilt with a patch whenever anything of the repository inside them changes.
    `compat` is the major of changesets, 2 or 3. `follow_always`: dependents follow in range or not.
    `peers_when_left`: peer ranges only matter when they are left. `workspace_protocol_only`: ranges without
    `workspace:` bind nobody.
    `guarded`: what is versioned must not need what is not. `single_version`: everything is one fixed group.
    `channel` is the identifier of prereleases, empty for stable versions. `squashed` and `reverts` are the policies
    of `switchover.decide.read_commits`. An empty `snapshot_template` is the usual one; `calculated_snapshots` are
    based on the next version instead of 0.0.0.
    """

    private_packages: bool = False
    private_commits: bool = True
    deployed: frozenset[str] = frozenset()
    ignore: tuple[str, ...] = ()
    fixed: Groups = ()
    linked: Groups = ()
    compat: int = NEWEST
    follow_always: bool = False
    peers_when_left: bool = False
    workspace_protocol_only: bool = False
    guarded: bool = False
    single_version: bool = False
    channel: str = ""
    squashed: str = IGNORE
    reverts: str = CANCEL
    calculated_snapshots: bool = False
    snapshot_template: str = ""

    def is_silent(self, package: Package) -> bool:
        """Whether the history of a package asks for nothing."""
        return package.private and not self.private_commits and package.name not in self.deployed


@dataclass(frozen=True, slots=True)
class Scope:
    """Settings applied to a workspace. `strangers` are names and globs that match no package."""

    skipped: frozenset[str]
    fixed: Groups = ()
    linked: Groups = ()
    strangers: tuple[str, ...] = ()


def is_skipped(package: Package, ignored: frozenset[str], settings: PlanSettings) -> bool:
    """Whether a package is never versioned: ignored, without a version, or private and not asked for."""
    if package.name in ignored or not package.version:
        return True
    return package.private and not settings.private_packages and package.name not in settings.deployed


def read_scope(packages: tuple[Package, ...], settings: PlanSettings) -> Scope:
    """Who is versioned, and with whom. Raises `InputError` for settings that contradict themselves or the workspace."""
    ignored = frozenset(expand_names(settings.ignore, packages, "ignore", settings.compat))
    skipped = frozenset(package.name for package in packages if is_skipped(package, ignored, settings))
    fixed: Groups
    linked: Groups = ()
    if settings.single_version:
        fixed = (tuple(package.name for package in packages if package.name not in skipped),)
    else:
        fixed = tuple(expand_names(group, packages, "fixed", settings.compat) for group in settings.fixed)
        linked = tuple(expand_names(group, packages, "linked", settings.compat) for group in settings.linked)
        _refuse_overlap(fixed + linked)
    if settings.guarded:
        _refuse_skipped_dependencies(packages, settings, ignored, skipped)
    named = (*settings.ignore, *(name for group in (*settings.fixed, *settings.linked) for name in group))
    return Scope(skipped, fixed, linked, tuple(name for name in named if _is_stranger(name, packages)))


def expand_names(
    patterns: tuple[str, ...], packages: tuple[Package, ...], setting: str, compat: int = NEWEST
) -> tuple[str, ...]:
    """Package names of names and globs: in the order of the workspace, for changesets 2 in that of the patterns.

    Raises `InputError` for a glob that is not understood, by changesets 2 also for one that matches nothing.
    """
    for pattern in patterns:
        if not is_understood(pattern):
            raise _refuse(
                setting, "globs of *, **, ?, [abc], {a,b}, @(a|b), !(a|b) at the end and a leading !", repr(pattern)
            )
        if compat < NEWEST and _is_stranger(pattern, packages):
            raise _refuse(setting, "names or globs of packages in the workspace", f"{pattern!r}, which matches none")
    names = (package.name for package in packages)
    return select_by_pattern(patterns, names) if compat < NEWEST else select(patterns, names)


def _is_stranger(pattern: str, packages: tuple[Package, ...]) -> bool:
    negated = is_negated(pattern)
    return all(matches(pattern[negated:], package.name) is negated for package in packages)


def _refuse_overlap(groups: Iterable[tuple[str, ...]]) -> None:
    """Raise `InputError` for a package that is in two of the groups."""
    seen: set[str] = set()
    for name in (name for group in groups for name in group):
        if name in seen:
            raise _refuse("fixed' or 'linked", "every package in at most one fixed or linked group", f"{name!r} in two")
        seen.add(name)


def _refuse_skipped_dependencies(
    packages: tuple[Package, ...], settings: PlanSettings, ignored: frozenset[str], skipped: frozenset[str]
) -> None:
    """Raise `InputError` for a published package that needs one which is never versioned."""
    stated = settings.ignore if settings.compat < NEWEST else ignored
    if not stated and settings.private_packages:
        return
    if settings.compat < NEWEST:
        # There globs in `ignore` are not looked at here.
        literal = ignored & set(settings.ignore)
        skipped = frozenset(package.name for package in packages if is_skipped(package, literal, settings))
    dependents = find_dependents(packages, workspace_only=settings.workspace_protocol_only, development=False)
    free = {package.name for package in packages if package.private} | settings.deployed | skipped
    for package in packages:
        if package.name not in skipped:
            continue
        bound = next((name for name in dependents[package.name] if name not in free), "")
        if bound:
            raise InputError(
                f"{bound} needs {package.name}, which is never versioned",
                expected="that a published package only needs versioned ones",
                found=f"{package.name} ignored, private or without a version ({package.manifest})",
                next_step=f"add {bound} to 'ignore' in .changeset/config.json too, or let {package.name} be versioned",
            )


def _refuse(setting: str, expected: str, found: str) -> InputError:
    return InputError(
        f"the setting '{setting}' of .changeset/config.json cannot be followed",
        expected=expected,
        found=found,
        next_step="correct it there",
    )
