"""The packages of a workspace as values, and who depends on whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from switchover.decide.ranges import WORKSPACE, is_range, satisfies

ANY = "*"


class Kind(StrEnum):
    """What a package is made with. `PLAIN`: a service of neither, whose version stands in a file of its own."""

    NPM = "npm"
    PYTHON = "python"
    PLAIN = "plain"


MANIFEST_NAMES = {Kind.NPM: "package.json", Kind.PYTHON: "pyproject.toml", Kind.PLAIN: "VERSION"}


class Section(StrEnum):
    """Where a manifest names a dependency, in the order in which changesets looks at them."""

    RUN = "dependencies"
    DEV = "devDependencies"
    PEER = "peerDependencies"
    OPTIONAL = "optionalDependencies"


_ORDER = {section: at for at, section in enumerate(Section)}


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
        return self.file(MANIFEST_NAMES[self.kind])

    @property
    def changelog(self) -> str:
        """Path of the changelog, relative to the root of the workspace."""
        return self.file("CHANGELOG.md")

    def file(self, name: str) -> str:
        """Path of a file of this package, relative to the root of the workspace."""
        return f"{self.folder}/{name}" if self.folder else name


def effective_range(dependency: Dependency, target: Package, version: str) -> str:
    """The range with `workspace:` resolved: `*` and the path of `target` to exactly `version`, `^` and `~` around it.

    Empty for what changesets leaves alone: a range that is empty itself, and `workspace:` with neither a range nor
    that path.
    """
    if not dependency.range.startswith(WORKSPACE):
        return dependency.range
    text = dependency.range.removeprefix(WORKSPACE)
    if text in {"^", "~"}:
        return f"{text}{version}"
    if text == "*":
        return version
    if is_range(text):
        return text or ANY
    return version if normalise_path(text) == target.folder else ""


def find_dependents(
    packages: tuple[Package, ...], *, workspace_only: bool = False, development: bool = True
) -> dict[str, tuple[str, ...]]:
    """For every package the names of those whose range holds its version today, in workspace order.

    `workspace_only`: ranges without the protocol `workspace:` do not count. Without `development`,
    devDependencies do not.
    """
    by_name = {package.name: package for package in packages}
    dependents: dict[str, list[str]] = {package.name: [] for package in packages}
    for package in packages:
        # The last section in their order that names a dependency decides about the edge.
        last: dict[str, Dependency] = {}
        for dependency in package.dependencies:
            if dependency.name not in by_name or not _counts(dependency, development=development):
                continue
            known = last.get(dependency.name)
            if known is None or _ORDER[known.section] <= _ORDER[dependency.section]:
                last[dependency.name] = dependency
        for name, dependency in last.items():
            if _is_edge(dependency, by_name[name], workspace_only=workspace_only):
                dependents[name].append(package.name)
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


def map_folders(packages: tuple[Package, ...]) -> dict[str, str]:
    """The names of the packages by their folders, for `find_owner`."""
    return {package.folder: package.name for package in packages}


def find_owner(folders: Mapping[str, str], path: str) -> str:
    """The name of the package with the deepest folder that holds `path`; empty when there is none."""
    folder = path
    while folder:
        folder = folder.rpartition("/")[0]
        if folder in folders:
            return folders[folder]
    return ""


def normalise_path(path: str) -> str:
    """The path without `.`, `..` and doubled slashes; a slash at the end stays, as Node keeps it."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == ".." and parts and parts[-1] != "..":
            parts.pop()
        elif part not in {"", "."}:
            parts.append(part)
    return "/".join(parts) + ("/" if path.endswith("/") and parts else "")


def _counts(dependency: Dependency, *, development: bool) -> bool:
    if dependency.section is not Section.DEV:
        return True
    return development and not dependency.range.startswith(("link:", "file:"))


def _is_edge(dependency: Dependency, target: Package, *, workspace_only: bool) -> bool:
    text = dependency.range
    if text.startswith(WORKSPACE):
        text = text.removeprefix(WORKSPACE)
        if text in {"*", "^", "~"} or (text and normalise_path(text) == target.folder):
            return True
    elif workspace_only:
        return False
    return bool(target.version) and satisfies(target.version, text)
