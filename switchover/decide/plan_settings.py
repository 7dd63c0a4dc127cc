"""The settings of a version plan: which packages are versioned, and which move together."""

from __future__ import annotations

import re
from dataclasses import dataclass

from switchover.decide.packages import Package
from switchover.errors import InputError


@dataclass(frozen=True, slots=True)
class PlanSettings:
    """What changes the plan. Groups and `ignore` hold package names or globs.

    `private_packages`: version private packages too. `deployed` names packages that are deployed: they are
    always versioned, and rebuilt with a patch whenever anything of the repository inside them changes.
    """

    private_packages: bool = False
    deployed: frozenset[str] = frozenset()
    ignore: tuple[str, ...] = ()
    fixed: tuple[tuple[str, ...], ...] = ()
    linked: tuple[tuple[str, ...], ...] = ()


def is_skipped(package: Package, ignored: frozenset[str], settings: PlanSettings) -> bool:
    """Whether a package is never versioned: ignored, without a version, or private and not asked for."""
    if package.name in ignored or not package.version:
        return True
    return package.private and not settings.private_packages and package.name not in settings.deployed


def expand_names(patterns: tuple[str, ...], packages: tuple[Package, ...], setting: str) -> tuple[str, ...]:
    """Package names of names and globs (`*` stays within a scope), in their order. Each has to match something."""
    found: list[str] = []
    for pattern in patterns:
        expression = re.compile(
            "".join({"**": ".*", "*": "[^/]*", "?": "[^/]"}.get(part, re.escape(part)) for part in _split(pattern))
        )
        names = [package.name for package in packages if expression.fullmatch(package.name)]
        if not names:
            raise InputError(
                f"the setting '{setting}' of .changeset/config.json cannot be followed",
                expected="names or globs of packages in the workspace",
                found=f"{pattern!r}, which matches none",
                next_step="correct the name there",
            )
        found += names
    return tuple(dict.fromkeys(found))


def _split(pattern: str) -> list[str]:
    return [part for part in re.split(r"(\*\*|\*|\?)", pattern) if part]


def refuse_overlap(groups: tuple[tuple[str, ...], ...]) -> None:
    """Raise `InputError` for a package that is in two of the groups."""
    seen: set[str] = set()
    for name in (name for group in groups for name in group):
        if name in seen:
            raise InputError(
                "the groups of .changeset/config.json cannot be followed",
                expected="every package in at most one fixed or linked group",
                found=f"{name!r} in two",
                next_step="take it out of one of them",
            )
        seen.add(name)
