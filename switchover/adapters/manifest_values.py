"""Manifests of npm, Python and plain packages, read into the values of a workspace."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from switchover.decide.packages import MANIFEST_NAMES, Dependency, Kind, Package, Section
from switchover.decide.requirements import list_requirements, normalise_name, read_requirement
from switchover.decide.version_text import parse_version
from switchover.decide.versions import PLACEHOLDER
from switchover.errors import InputError

SHOWN = 60


def read_npm_package(manifest: dict[str, Any], folder: str) -> Package | None:
    """The package of a parsed package.json; None for one without a name, which only holds settings."""
    name, version = manifest.get("name"), manifest.get("version")
    if not isinstance(name, str) or not name:
        return None
    if not isinstance(version, str | None):
        raise _refuse(folder, "package.json", "a text as version", repr(version))
    dependencies: list[Dependency] = []
    for section in Section:
        stated = manifest.get(section.value) or {}
        if not isinstance(stated, dict) or not all(isinstance(text, str) for text in stated.values()):
            raise _refuse(folder, "package.json", f"an object of texts under {section.value!r}", repr(stated))
        dependencies += [Dependency(other, text, section) for other, text in stated.items()]
    return Package(name, folder, version or "", Kind.NPM, manifest.get("private") is True, tuple(dependencies))


def read_python_package(manifest: dict[str, Any], folder: str) -> Package | None:
    """The package of a parsed pyproject.toml; None where it has no table `[project]`.

    A version that is only computed at build time reads as none; the classifier `Private :: …` means private.
    """
    project = manifest.get("project")
    if not isinstance(project, dict) or not isinstance(project.get("name"), str):
        return None
    _read_texts(project, "dependencies", "project", folder)
    extras = project.get("optional-dependencies", {})
    if not isinstance(extras, dict):
        raise _refuse(folder, "pyproject.toml", "a table under 'project.optional-dependencies'", repr(extras))
    for extra in extras:
        _read_texts(extras, extra, "project.optional-dependencies", folder)
    dependencies = [read_requirement(text, section) for _, text, section in list_requirements(manifest)]
    return Package(
        name=project["name"],
        folder=folder,
        version=str(project.get("version", "")),
        kind=Kind.PYTHON,
        private=any(each.startswith("Private ::") for each in _read_texts(project, "classifiers", "project", folder)),
        dependencies=tuple(each for each in dependencies if each.name != project["name"]),
    )


def read_plain_package(text: str | None, folder: str) -> Package:
    """The private package in `folder`, called like it, with the one line of its file VERSION as version.

    Without the file nothing was released yet.
    """
    version = PLACEHOLDER if text is None else text.strip()
    if parse_version(version) is None:
        short = repr(version[:SHOWN]) + ("…" if len(version) > SHOWN else "")
        raise _refuse(folder, MANIFEST_NAMES[Kind.PLAIN], "one line with a semantic version such as 1.4.0", short)
    return Package(folder.rpartition("/")[2], folder, version, Kind.PLAIN, private=True)


def match_dependencies(packages: tuple[Package, ...]) -> tuple[Package, ...]:
    """The packages with dependencies that name each other rightly.

    Python knows `My_Core` and `my-core` as one name: a dependency gets the spelling of the package. A plain package
    is nobody's dependency: the `redis` that others need is not the service in the folder `redis`.
    """
    spelt = {normalise_name(package.name): package.name for package in packages if package.kind is Kind.PYTHON}
    plain = {package.name for package in packages if package.kind is Kind.PLAIN}
    return tuple(_match(package, spelt, plain) for package in packages)


def _match(package: Package, spelt: dict[str, str], plain: set[str]) -> Package:
    if package.kind is not Kind.PYTHON and not plain:
        return package
    names = spelt if package.kind is Kind.PYTHON else {}
    kept = (each for each in package.dependencies if each.name not in plain)
    matched = (replace(each, name=names.get(normalise_name(each.name), each.name)) for each in kept)
    return replace(package, dependencies=tuple(matched))


def _read_texts(table: dict[str, Any], key: str, above: str, folder: str) -> list[str]:
    stated = table.get(key, [])
    if not isinstance(stated, list) or not all(isinstance(text, str) for text in stated):
        raise _refuse(folder, "pyproject.toml", f"a list of texts under '{above}.{key}'", repr(stated))
    return stated


def _refuse(folder: str, name: str, expected: str, found: str) -> InputError:
    return InputError(
        f"{folder}/{name} cannot be read".lstrip("/"), expected=expected, found=found, next_step="correct the file"
    )
