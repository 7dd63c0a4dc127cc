"""The packages of a workspace as values, and who depends on whom."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from switchover.decide.ranges import WORKSPACE, satisfies


class Kind(StrEnum):
    """What a package is made with."""

    NPM = "npm"
    PYTHON = "python"


class Section(StrEnum):
    """Where a manifest names a dependency, in the order in which changesets looks at them."""

    RUN = "dependencies"
    DEV = "devDependencies"
    PEER = "peerDependencies"
    OPTIONAL = "optionalDependencies"


@dataclass(frozen=True, slots=True)
class Dependency:
    """One line of a manifest: the range is npm's, whatever the package is made with."""

    name: str
    range: str
    section: Section


@dataclass(frozen=True, slots=True)
class Package:
    """A member of the workspace. `folder` is relative to its root with `/`; empty for the root itself.

    `version` is empty where the manifest states none.
    """

    name: str
    folder: str
    version: str
    kind: Kind
    private: bool = False
    dependencies: tuple[Dependency, ...] = ()

    @property
    def manifest(self) -> str:
        """Path of the manifest, relative to the root of the workspace."""
        return self.file("package.json" if self.kind is Kind.NPM else "pyproject.toml")

    @property
    def changelog(self) -> str:
        """Path of the changelog, relative to the root of the workspace."""
        return self.file("CHANGELOG.md")

    def file(self, name: str) -> str:
        """Path of a file of this package, relative to the root of the workspace."""
        return f"{self.folder}/{name}" if self.folder else name


def effective_range(dependency: Dependency, target: Package, version: str) -> str:
    """The range with `workspace:` resolved: `*` and a path to exactly `version`, `^` and `~` around it."""
    if not dependency.range.startswith(WORKSPACE):
        return dependency.range
    text = dependency.range.removeprefix(WORKSPACE)
    if text in {"^", "~"}:
        return f"{text}{version}"
    return version if text in {"*", target.folder} else text


def find_dependents(packages: tuple[Package, ...]) -> dict[str, tuple[str, ...]]:
    """For every package the names of those whose range holds its version today, in workspace order."""
    by_name = {package.name: package for package in packages}
    dependents: dict[str, list[str]] = {package.name: [] for package in packages}
    for package in packages:
        # Sections come in order and the last one that names a dependency decides about the edge.
        last = {each.name: each for each in package.dependencies if not _is_local_link(each)}
        for dependency in last.values():
            target = by_name.get(dependency.name)
            if target is not None and target.name != package.name and _is_edge(dependency, target):
                dependents[target.name].append(package.name)
    return {name: tuple(names) for name, names in dependents.items()}


def find_bundled(packages: tuple[Package, ...], name: str) -> tuple[Package, ...]:
    """Everything in the repository that `name` needs to run, directly or not, sorted by name."""
    by_name = {package.name: package for package in packages}
    found: dict[str, Package] = {}
    waiting = [name]
    while waiting:
        for dependency in by_name[waiting.pop()].dependencies:
            target = by_name.get(dependency.name)
            if dependency.section is not Section.DEV and target is not None and target.name not in found:
                found[target.name] = target
                waiting.append(target.name)
    found.pop(name, None)
    return tuple(found[each] for each in sorted(found))


def find_owner(packages: tuple[Package, ...], path: str) -> Package | None:
    """The package with the deepest folder that holds `path`."""
    owners = [package for package in packages if not package.folder or path.startswith(f"{package.folder}/")]
    return max(owners, key=lambda package: len(package.folder), default=None)


def _is_local_link(dependency: Dependency) -> bool:
    return dependency.section is Section.DEV and dependency.range.startswith(("link:", "file:"))


def _is_edge(dependency: Dependency, target: Package) -> bool:
    text = dependency.range
    if text.startswith(WORKSPACE):
        plain = text.removeprefix(WORKSPACE)
        if plain in {"*", "^", "~"} or plain == target.folder:
            return True
        text = plain
    return bool(target.version) and satisfies(target.version, text)
