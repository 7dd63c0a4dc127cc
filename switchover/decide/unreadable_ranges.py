"""Dependencies inside the workspace whose range nobody can read: changesets passes over them, and so they go stale."""

from __future__ import annotations

import re
from collections.abc import Iterable

from switchover.decide.packages import Dependency, Kind, Package
from switchover.decide.ranges import WORKSPACE, is_range
from switchover.errors import InputError

# A dist-tag, or what only a package manager understands: a protocol, an address, a short name of a repository.
_TAG = re.compile(r"[A-Za-z][\w.-]*")
_ELSEWHERE = re.compile(r"[a-z][a-z+.-]*:.*|.*/.*", re.DOTALL)


def refuse_unreadable_ranges(packages: Iterable[Package]) -> None:
    """Raise `InputError` for a range on a package of this workspace that is no range, tag or protocol."""
    known = {package.name: package for package in packages}
    for package in known.values():
        for dependency in package.dependencies if package.kind is Kind.NPM else ():
            if dependency.name in known and not _is_readable(dependency, known[dependency.name]):
                raise InputError(
                    f"{package.manifest} has a range that cannot be read",
                    expected=f"a range of versions for {dependency.name} in {dependency.section.value}, such as ^1.2.0",
                    found=repr(dependency.range),
                    next_step="correct the range",
                )


def _is_readable(dependency: Dependency, target: Package) -> bool:
    text = dependency.range.strip()
    if text.startswith(WORKSPACE):
        plain = text.removeprefix(WORKSPACE)
        return plain in {"*", "^", "~", "", target.folder} or is_range(plain) or "/" in plain
    return is_range(text) or bool(_TAG.fullmatch(text) or _ELSEWHERE.fullmatch(text))
