"""Requirements of Python packages (`core[fast]>=1.0,<2 ; python_version < "3.13"`): read, and moved like npm ranges."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from switchover.decide.bumps import Bump
from switchover.decide.manifests import TomlPath
from switchover.decide.packages import Dependency, Section
from switchover.decide.range_rewriting import RangeRules, asks_to_move
from switchover.decide.version_text import next_version
from switchover.decide.versions import PlannedRelease
from switchover.errors import InputError

REQUIREMENT = re.compile(
    r"(?P<head>\s*(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*\(?\s*)"
    r"(?P<specifier>[^;)@]*?)(?P<gap>\s*)(?P<tail>[;)@].*)?",
    re.DOTALL,
)
CLAUSE = re.compile(
    r"(?P<blank>\s*)(?P<operator>===|==|~=|>=|<=|>|<)(?P<gap>\s*)v?(?P<version>[0-9][0-9A-Za-z.+*-]*)\s*"
)
EXACT = frozenset({"==", "==="})
# `~=1.4` lets everything below 2 in, `~=1.4.2` everything below 1.5.
COMPATIBLE_WITHIN_MAJOR = 2
# What Python's packaging reads as a version, in the spellings that a semantic version can have.
PYTHON_VERSION = re.compile(
    r"[0-9]+(\.[0-9]+)*([-._]?(a|alpha|b|beta|c|rc|pre|preview)[-._]?[0-9]*)?([-._]?dev[-._]?[0-9]*)?", re.IGNORECASE
)


def list_requirements(project: dict[str, Any]) -> Iterator[tuple[TomlPath, str, Section]]:
    """Where in a parsed pyproject.toml requirements stand, each with its text and what it is for."""
    table = project.get("project")
    table = table if isinstance(table, dict) else {}
    yield from _list_texts(table.get("dependencies"), ("project", "dependencies"), Section.RUN)
    for above, key, section in (
        (table, "optional-dependencies", Section.OPTIONAL),
        (project, "dependency-groups", Section.DEV),
    ):
        groups = above.get(key)
        for name, texts in groups.items() if isinstance(groups, dict) else ():
            path = ("project", key, name) if above is table else (key, name)
            yield from _list_texts(texts, path, section)


def read_requirement(text: str, section: Section) -> Dependency:
    """Read one requirement, its specifier as an npm range; what is none reads as a name that nothing has."""
    match = REQUIREMENT.fullmatch(text)
    return (
        Dependency(match["name"], _translate(match["specifier"]), section) if match else Dependency(text, "*", section)
    )


def normalise_name(name: str) -> str:
    """The name as Python compares names: `My_Core.lib` is `my-core-lib`."""
    return re.sub(r"[-_.]+", "-", name).lower()


def move_requirement(text: str, section: Section, release: PlannedRelease, folder: str, rules: RangeRules) -> str:
    """The requirement as it should be once the package of `release`, which lies in `folder`, has its new version.

    Bounds from below and exact versions follow; one from above is raised when it is left. Exclusions stay.
    """
    match = REQUIREMENT.fullmatch(text)
    if match is None or release.type is Bump.NONE or _translate(match["specifier"]) == "*":
        return text
    if not asks_to_move(_translate(match["specifier"]), section, release, folder, rules):
        return text
    if rules.exact:
        return f"{match['head']}=={release.new_version}{match['gap']}{match['tail'] or ''}"
    clauses = ",".join(_move_clause(clause, release) for clause in match["specifier"].split(","))
    return f"{match['head']}{clauses}{match['gap']}{match['tail'] or ''}"


def refuse_foreign_version(version: str, *, file: str) -> None:
    """Raise `InputError` for a version that Python does not read."""
    if PYTHON_VERSION.fullmatch(version) is None:
        raise InputError(
            f"{file} cannot get its version",
            expected="one that Python reads, such as 1.4.0, 1.4.0-beta.0 or 0.0.0-dev.20260101",
            found=version,
            next_step="choose another tag; of snapshots, snapshot.prereleaseTemplate in .changeset/config.json",
        )


def _list_texts(texts: object, path: TomlPath, section: Section) -> Iterator[tuple[TomlPath, str, Section]]:
    for at, text in enumerate(texts if isinstance(texts, list) else ()):
        if isinstance(text, str):
            yield (*path, at), text, section


def _translate(specifier: str) -> str:
    """A Python version specifier as an npm range. Exclusions are dropped: they never decide about a release."""
    ranges: list[str] = []
    for clause in specifier.split(","):
        match = CLAUSE.fullmatch(clause)
        if match is None:
            continue
        operator, version = match["operator"], match["version"]
        if operator == "~=":
            ranges.append(f"~{version}" if version.count(".") > 1 else f"^{version}")
        else:
            ranges.append(version.replace(".*", ".x") if operator in EXACT else f"{operator}{version}")
    return " ".join(ranges) or "*"


def _move_clause(clause: str, release: PlannedRelease) -> str:
    match = CLAUSE.fullmatch(clause)
    if match is None:
        return clause
    operator, bound, version = match["operator"], match["version"], release.new_version
    places = bound.count(".") + 1
    if bound.endswith(".*"):
        bound = f"{_cut(version, places - 1)}.*"
    elif operator == "~=" and places == COMPATIBLE_WITHIN_MAJOR and version == _core(version):
        bound = _cut(version, places)
    elif operator in {*EXACT, "~=", ">="} or (operator == "<=" and _numbers(version) > _numbers(bound)):
        bound = version
    elif operator == "<" and _numbers(version) >= _numbers(bound):
        bound = _raise_bound(release, places)
    return f"{match['blank']}{operator}{match['gap']}{bound}"


def _raise_bound(release: PlannedRelease, places: int) -> str:
    """The next bound of as many places that holds the new version."""
    bound = _cut(next_version(release.new_version, release.type), places)
    if _numbers(bound) > _numbers(release.new_version):
        return bound
    *front, last = _cut(release.new_version, places).split(".")
    return ".".join([*front, str(int(last) + 1)])


def _core(version: str) -> str:
    return re.split(r"[-+]", version, maxsplit=1)[0]


def _cut(version: str, places: int) -> str:
    return ".".join(_core(version).split(".")[:places])


def _numbers(version: str) -> tuple[int, ...]:
    """The release number with trailing zeros dropped, so that 2, 2.0 and 2.0.0 are one."""
    found = re.match(r"[0-9]+(\.[0-9]+)*", version)
    numbers = [int(each) for each in found[0].split(".")] if found else []
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)
