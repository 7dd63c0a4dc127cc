"""What a release consists of: the components of a workspace at their present versions, and how they are tagged."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from switchover.decide.packages import Kind, Package
from switchover.decide.plan_settings import PlanSettings, expand_names, is_skipped
from switchover.decide.version_text import parse_version
from switchover.errors import InputError

MANY_TAG_FORMAT = "{name}@{version}"
SINGLE_TAG_FORMAT = "v{version}"


class ComponentKind(StrEnum):
    """How a component becomes an artifact. `TAG` has none: it is versioned and tagged, and that is all."""

    SERVICE = "service"
    IMAGE = "image"
    NPM = "npm"
    SOURCE = "source"
    TAG = "tag"


DEPLOYED = (ComponentKind.SERVICE, ComponentKind.IMAGE)
"""The kinds that a service is released as."""


@dataclass(frozen=True, slots=True)
class Service:
    """A deployed service: its name in the store, its folder, and the name in its manifest (empty: any).

    `build` is a command run at the root of an export of the commit; in it `{output}` is the folder to fill and
    `{python}` this Python. Without one, the service is its folder with the packages that it needs in `packages/`.
    With a `dockerfile` it is an image, built from the folder `context` (empty: the repository). One that is built
    `elsewhere` is versioned and tagged here, and that is all.
    """

    name: str
    folder: str
    package: str = ""
    build: tuple[str, ...] = ()
    dockerfile: str = ""
    context: str = ""
    elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class Component:
    """One thing to release. `name` is what the store knows it by, `package` what its manifest says."""

    name: str
    package: str
    version: str
    kind: ComponentKind
    folder: str
    tag: str

    def __str__(self) -> str:
        """Name and version, as people write them."""
        return f"{self.name}@{self.version}"


def choose_tag_format(packages: tuple[Package, ...], stated: str = "", *, single_version: bool = False) -> str:
    """The stated format, else `v{version}` for a repository of one package or one version, and `{name}@{version}`."""
    single = single_version or [each.folder for each in packages] == [""]
    chosen = stated or (SINGLE_TAG_FORMAT if single else MANY_TAG_FORMAT)
    if "{version}" not in chosen or (len(packages) > 1 and not single_version and "{name}" not in chosen):
        raise InputError(
            "the tag format cannot tell releases apart",
            expected="{version} in it, and {name} where there is more than one package",
            found=repr(chosen),
            next_step="correct release.tag_format",
        )
    return chosen


def write_tag(tag_format: str, name: str, version: str) -> str:
    """The tag of one release."""
    return tag_format.replace("{name}", name).replace("{version}", version)


def find_withdrawn(component: Component, versions: Iterable[str], tags: Iterable[str]) -> tuple[str, ...]:
    """The versions of a component whose tags are among `tags`."""
    gone = set(tags)
    return tuple(version for version in versions if write_next_tag(component, version) in gone)


def read_tag(component: Component, tag: str) -> str:
    """The version that a tag of this component stands for, empty for any other tag."""
    before, _, after = component.tag.rpartition(component.version)
    inner = tag.removeprefix(before).removesuffix(after)
    return inner if tag == f"{before}{inner}{after}" and parse_version(inner) else ""


def write_next_tag(component: Component, version: str) -> str:
    """The tag of another version of the same component."""
    before, _, after = component.tag.rpartition(component.version)
    return f"{before}{version}{after}"


def choose_components(
    packages: tuple[Package, ...], services: tuple[Service, ...], settings: PlanSettings, tag_format: str
) -> tuple[Component, ...]:
    """Everything that is released, services first, each at the version of its manifest.

    Raises `InputError` for a service whose manifest has no version.
    """
    ignored = frozenset(expand_names(settings.ignore, packages, "ignore"))
    by_folder = {package.folder: package for package in packages}
    chosen: list[Component] = []
    for service in sorted(services, key=lambda each: each.name):
        package = find_service_package(by_folder, service)
        tag = write_tag(tag_format, package.name, package.version)
        kind = _choose_service_kind(service)
        chosen.append(Component(service.name, package.name, package.version, kind, package.folder, tag))
    deployed = {component.package for component in chosen}
    for package in packages:
        # What changesets 2 versions of its own accord (examples, fixtures) is not tagged by it either.
        told = not is_skipped(package, ignored, settings) and not settings.is_silent(package)
        if package.name not in deployed and told:
            tag = write_tag(tag_format, package.name, package.version)
            kind = _choose_kind(package)
            chosen.append(Component(package.name, package.name, package.version, kind, package.folder, tag))
    _refuse_doubles(chosen)
    return tuple(chosen)


def _refuse_doubles(components: list[Component]) -> None:
    """A release is known by its name: two of one name would be taken for each other."""
    seen: dict[str, Component] = {}
    for component in components:
        other = seen.setdefault(component.name, component)
        if other is not component:
            raise InputError(
                f"two things that are released are called {component.name}",
                expected="every service and package with a name of its own",
                found=f"a {other.kind} in {other.folder or '.'}, and a {component.kind} in {component.folder or '.'}",
                next_step="give the service another name in switchover.toml; `package` says which package it is",
            )


def _choose_service_kind(service: Service) -> ComponentKind:
    if service.elsewhere:
        return ComponentKind.TAG
    return ComponentKind.IMAGE if service.dockerfile else ComponentKind.SERVICE


def find_service_package(by_folder: dict[str, Package], service: Service) -> Package:
    """The package behind a service. Raises `InputError` when there is none, or its name or version is not right."""
    package = by_folder.get(service.folder)
    wanted = service.package or (package.name if package else "")
    if package is None or not package.version or package.name != wanted:
        found = "no manifest" if package is None else f"{package.name!r} with version {package.version!r}"
        # The root of a repository is called differently in every clone, so it needs a manifest that names it.
        plain = f", or the file VERSION in a folder called {wanted or service.name!r}" if service.folder else ""
        raise InputError(
            f"the service {service.name} cannot be released",
            expected=f"a package.json or pyproject.toml in {service.folder or 'the root'}"
            + (f" named {wanted!r}" if wanted else "")
            + f" with a version{plain}",
            found=found,
            next_step="correct the path or the package of the service in switchover.toml, or its manifest",
        )
    return package


def _choose_kind(package: Package) -> ComponentKind:
    if package.private:
        return ComponentKind.TAG
    return ComponentKind.NPM if package.kind is Kind.NPM else ComponentKind.SOURCE
