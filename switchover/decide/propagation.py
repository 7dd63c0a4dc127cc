"""How the release of one package makes others follow: dependents, fixed and linked groups.

The rules are those of changesets 3 and 2, order and oddities included, with one of our own: a deployed package
carries its dependencies inside, so it follows every change of them, in range or not.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from switchover.decide.bumps import Bump, choose_highest
from switchover.decide.packages import Dependency, Package, Section, effective_range, find_bundled, find_dependents
from switchover.decide.plan_settings import PlanSettings, Scope
from switchover.decide.ranges import satisfies
from switchover.decide.version_text import parse_version
from switchover.errors import InputError

PEERS_NEED_MAJOR_BELOW = 3
Increment = Callable[[str, str, Bump], str]


@dataclass(frozen=True, slots=True)
class Draft:
    """A release in the making: `changesets` are the ids that asked for it."""

    name: str
    type: Bump
    old_version: str
    changesets: tuple[str, ...] = ()


@dataclass(slots=True)
class _Release:
    """A draft while it is moved about. The queue and the plan see the same one, as they do in changesets."""

    name: str
    type: Bump
    old_version: str
    changesets: tuple[str, ...] = ()


class _Propagation:
    """The releases of one plan. `increment` says from name, old version and bump what the new version is."""

    def __init__(
        self, packages: tuple[Package, ...], scope: Scope, settings: PlanSettings, increment: Increment
    ) -> None:
        self._by_name = {package.name: package for package in packages}
        self._scope = scope
        self._settings = settings
        self._increment = increment
        self._dependents = find_dependents(packages, workspace_only=settings.workspace_protocol_only)
        self._lines = {package.name: _index(package) for package in packages}
        deployed = sorted(name for name in settings.deployed - scope.skipped if name in self._by_name)
        self._bundled = {name: [each.name for each in find_bundled(packages, name)] for name in deployed}
        self.releases: dict[str, _Release] = {}

    def settle(self) -> None:
        """Let dependents and groups follow until nothing moves any more."""
        moved = True
        while moved:
            moved = self._follow_dependencies()
            for group in self._scope.fixed:
                moved |= self._align(group, [name for name in group if name not in self._scope.skipped])
            for group in self._scope.linked:
                moved |= self._align(group, [name for name in self.releases if name in group and self._moves(name)])
            moved |= self._rebuild_deployed()

    def _follow_dependencies(self) -> bool:
        moved = False
        queue = deque(self.releases.values())
        while queue:
            release = queue.popleft()
            wishes = [(name, self._choose_bump(release, name)) for name in self._dependents[release.name]]
            for name, wished in wishes:
                if wished is None:
                    continue
                moved = True
                follower = self.releases.get(name)
                if follower is not None and wished is Bump.MAJOR:
                    follower.type = wished
                else:
                    # Replacing it loses the ids of changesets that asked for nothing; changesets does so too.
                    follower = _Release(name, wished, self._by_name[name].version)
                    self.releases[name] = follower
                queue.append(follower)
        return moved

    def _choose_bump(self, release: _Release, name: str) -> Bump | None:
        """What a release asks of one dependent; None when it asks nothing new."""
        existing = self.releases.get(name)
        wished: Bump | None = Bump.NONE if name in self._scope.skipped else None
        if wished is None and release.type is not Bump.NONE:
            idle = existing is None or existing.type is Bump.NONE
            for dependency in self._lines[name].get(release.name, ()):
                asked = self._ask(release, dependency, existing, idle=idle)
                wished = asked if wished is None or (asked is not None and asked.rank > wished.rank) else wished
        return None if existing is not None and existing.type is wished else wished

    def _ask(self, release: _Release, dependency: Dependency, existing: _Release | None, *, idle: bool) -> Bump | None:
        """What a release asks of the package with this line in its manifest."""
        text = effective_range(dependency, self._by_name[release.name], release.old_version)
        if not text:
            return None
        left = not satisfies(self._increment(release.name, release.old_version, release.type), text)
        if self._settings.compat < PEERS_NEED_MAJOR_BELOW and dependency.section is Section.PEER:
            breaks = release.type is not Bump.PATCH and (left or not self._settings.peers_when_left)
            if breaks and (existing is None or existing.type is not Bump.MAJOR):
                return Bump.MAJOR
        if not idle or not (left or self._settings.follow_always):
            return None
        return Bump.NONE if dependency.section is Section.DEV else Bump.PATCH

    def _moves(self, name: str) -> bool:
        return name in self.releases and self.releases[name].type is not Bump.NONE

    def _align(self, group: tuple[str, ...], members: list[str]) -> bool:
        """Give `members` the highest bump of the group, counted from the highest present version in it."""
        moving = [name for name in group if self._moves(name)]
        if not moving:
            return False
        bump, highest = choose_highest(self.releases[name].type for name in moving), self._find_highest(group)
        moved = False
        for name in members:
            release = self.releases.get(name)
            if release is None:
                self.releases[name] = _Release(name, bump, highest)
                moved = True
            elif (release.type, release.old_version) != (bump, highest):
                release.type, release.old_version = bump, highest
                moved = True
        return moved

    def _find_highest(self, group: tuple[str, ...]) -> str:
        """The highest present version, also that of members that are never versioned."""
        highest = ""
        for name in group:
            text = self._by_name[name].version
            if not highest:
                highest = text
                continue
            version, known = parse_version(text), parse_version(highest)
            if version is None or known is None:
                raise InputError(
                    f"{name} cannot share its version with {group[0]}",
                    expected=f"a semantic version in {self._by_name[name].manifest}",
                    found=repr(text) if version is None else repr(highest),
                    next_step="state one, or take the package out of the group in .changeset/config.json",
                )
            highest = text if version > known else highest
        return highest

    def _rebuild_deployed(self) -> bool:
        moved = False
        for name, inside in self._bundled.items():
            if not self._moves(name) and any(self._moves(each) for each in inside):
                known = self.releases.get(name)
                self.releases[name] = _Release(
                    name, Bump.PATCH, self._by_name[name].version, known.changesets if known else ()
                )
                moved = True
        return moved


def propagate(
    packages: tuple[Package, ...],
    drafts: tuple[Draft, ...],
    scope: Scope,
    settings: PlanSettings,
    increment: Increment,
) -> tuple[Draft, ...]:
    """Let dependents and groups follow. New drafts come after the given ones.

    Raises `InputError` for a group with a version that cannot be compared.
    """
    propagation = _Propagation(packages, scope, settings, increment)
    propagation.releases = {
        draft.name: _Release(draft.name, draft.type, draft.old_version, draft.changesets) for draft in drafts
    }
    propagation.settle()
    return tuple(
        Draft(each.name, each.type, each.old_version, each.changesets) for each in propagation.releases.values()
    )


def _index(package: Package) -> dict[str, list[Dependency]]:
    """The lines of a manifest by the name of the dependency, in the order of the sections."""
    lines: dict[str, list[Dependency]] = {}
    for section in Section:
        for dependency in package.dependencies:
            if dependency.section is section:
                lines.setdefault(dependency.name, []).append(dependency)
    return lines
