"""How the release of one package makes others follow: dependents, fixed and linked groups.

The rules are those of changesets 3, with one of our own: a deployed package carries its dependencies inside,
so it follows every change of them, in range or not.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from switchover.decide.bumps import Bump, choose_highest
from switchover.decide.packages import Package, Section, effective_range, find_bundled, find_dependents
from switchover.decide.ranges import satisfies
from switchover.decide.version_text import next_version, parse_version


@dataclass(frozen=True, slots=True)
class Draft:
    """A release in the making: `changesets` are the ids that asked for it."""

    name: str
    type: Bump
    old_version: str
    changesets: tuple[str, ...] = ()

    @property
    def new_version(self) -> str:
        """The version that the draft leads to."""
        return next_version(self.old_version, self.type) if self.old_version else ""


Drafts = dict[str, Draft]
Group = tuple[str, ...]


def propagate(
    packages: tuple[Package, ...],
    drafts: tuple[Draft, ...],
    skipped: frozenset[str],
    deployed: frozenset[str],
    *,
    fixed: tuple[Group, ...],
    linked: tuple[Group, ...],
) -> tuple[Draft, ...]:
    """Let dependents and groups follow until nothing moves any more. New drafts come after the given ones."""
    current: Drafts = {draft.name: draft for draft in drafts}
    by_name = {package.name: package for package in packages}
    dependents = find_dependents(packages)
    while True:
        before = dict(current)
        _follow_dependencies(current, by_name, dependents, skipped)
        for group in fixed:
            _align(current, by_name, [name for name in group if name not in skipped], group)
        for group in linked:
            _align(current, by_name, [name for name in group if _moves(current, name)], group)
        _rebuild_deployed(current, packages, sorted(deployed - skipped))
        if current == before:
            return tuple(current.values())


def _follow_dependencies(
    current: Drafts, by_name: dict[str, Package], dependents: dict[str, tuple[str, ...]], skipped: frozenset[str]
) -> None:
    queue = list(current.values())
    while queue:
        release = queue.pop(0)
        for name in dependents.get(release.name, ()):
            follower = by_name[name]
            existing = current.get(name)
            wished = Bump.NONE if name in skipped else _choose_bump(release, follower, by_name, existing)
            if wished is None or (existing is not None and existing.type is wished):
                continue
            current[name] = Draft(name, wished, follower.version)
            queue.append(current[name])


def _choose_bump(release: Draft, follower: Package, by_name: dict[str, Package], existing: Draft | None) -> Bump | None:
    """What a release asks of one dependent; None when it asks nothing."""
    if release.type is Bump.NONE or (existing is not None and existing.type is not Bump.NONE):
        return None
    wished: Bump | None = None
    target = by_name[release.name]
    for dependency in follower.dependencies:
        if dependency.name != release.name:
            continue
        if satisfies(release.new_version, effective_range(dependency, target, release.old_version)):
            continue
        wished = choose_highest([wished or Bump.NONE, Bump.NONE if dependency.section is Section.DEV else Bump.PATCH])
    return wished


def _moves(current: Drafts, name: str) -> bool:
    return name in current and current[name].type is not Bump.NONE


def _align(current: Drafts, by_name: dict[str, Package], members: list[str], group: Group) -> None:
    """Give `members` the highest bump of the group, counted from the highest present version in it."""
    moving = [name for name in group if _moves(current, name)]
    if not moving:
        return
    bump = choose_highest(current[name].type for name in moving)
    versions = [parse_version(by_name[name].version) for name in group]
    highest = max(version for version in versions if version is not None)
    for name in members:
        draft = current.get(name, Draft(name, bump, str(highest)))
        current[name] = replace(draft, type=bump, old_version=str(highest))


def _rebuild_deployed(current: Drafts, packages: tuple[Package, ...], names: list[str]) -> None:
    by_name = {package.name: package for package in packages}
    for name in names:
        if name not in by_name or _moves(current, name):
            continue
        if any(_moves(current, inside.name) for inside in find_bundled(packages, name)):
            known = current.get(name)
            current[name] = Draft(name, Bump.PATCH, by_name[name].version, known.changesets if known else ())
