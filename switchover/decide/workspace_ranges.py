"""Ranges with the protocol `workspace:` as those who install a package need them: npm packs them as they stand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from switchover.decide.packages import Section
from switchover.decide.ranges import WORKSPACE
from switchover.errors import InputError

_AT_HOME = ("catalog:", "link:", "portal:", "patch:")
_AROUND = {"": "", "*": "", "^": "^", "~": "~"}


def plan_concrete_ranges(
    manifest: Mapping[str, Any], versions: Mapping[str, str], *, file: str
) -> dict[tuple[str, ...], str]:
    """The edits, for `edit_json`, that make a package.json installable: `workspace:` resolved as pnpm does it.

    `workspace:^` becomes `^version`, `workspace:~` `~version`, `workspace:*` and a path the version itself,
    `workspace:name@^` `npm:name@^version`, and `workspace:^1.2` `^1.2`. `versions` are those of the workspace's
    packages. Raises `InputError` for a package that is not among them, and for a protocol that only works at home
    (`catalog:`, `link:`, `portal:`, `patch:`) where others would have to install it.
    """
    edits: dict[tuple[str, ...], str] = {}
    for section in Section:
        dependencies = manifest.get(section.value)
        for name, text in dependencies.items() if isinstance(dependencies, dict) else ():
            if not isinstance(text, str):
                continue
            if text.startswith(WORKSPACE):
                edits[section.value, name] = _resolve(name, text.removeprefix(WORKSPACE).strip(), versions, file)
            elif section is not Section.DEV and text.startswith(_AT_HOME):
                raise InputError(
                    f"{file} cannot be packed",
                    expected="ranges that others can install",
                    found=f"{name} {text!r}",
                    next_step="state a range of versions there, or workspace:^",
                )
    return edits


def _resolve(name: str, text: str, versions: Mapping[str, str], file: str) -> str:
    if text.startswith("."):
        return _require(name, versions, file)
    if text in _AROUND:
        return f"{_AROUND[text]}{_require(name, versions, file)}"
    other, separator, rest = text.rpartition("@")
    # The first character may be the @ of a scope.
    if separator and other:
        around = _AROUND.get(rest)
        return f"npm:{other}@{rest if around is None else around + _require(other, versions, file)}"
    return text


def _require(name: str, versions: Mapping[str, str], file: str) -> str:
    if not versions.get(name):
        raise InputError(
            f"{file} cannot be packed",
            expected=f"{name}, which it needs by `workspace:`, as a package of this workspace with a version",
            found="no such package" if name not in versions else "no version",
            next_step="correct the dependency, or the workspace's list of packages",
        )
    return versions[name]
