"""One changeset file: which packages change how far, and the sentence for the changelog."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from switchover.decide.bumps import Bump
from switchover.errors import InputError

# What changesets itself writes; anything else is left to YAML.
PLAIN_LINE = re.compile(r"""(?P<quote>["'])(?P<name>[^"'\\]+)(?P=quote): (?P<bump>major|minor|patch|none)""")
DOCUMENT = re.compile(r"\s*---(?P<header>.*?)\n\s*---(?P<summary>\s*(?:\n|$).*)", re.DOTALL)
EXAMPLE = "write a line ---, lines like 'package-name': minor, a line ---, and below it what changed"


@dataclass(frozen=True, slots=True)
class Changeset:
    """What one `.changeset/<id>.md` asks for. `releases` keeps the order of the file; it may be empty.

    `commit` is the hash of the commit that added the file, empty while it is uncommitted. `file` is where it lies
    if that does not follow from the id.
    """

    id: str
    releases: tuple[tuple[str, Bump], ...]
    summary: str
    commit: str = ""
    file: str = ""

    @property
    def path(self) -> str:
        """Path of the file, relative to the root of the workspace."""
        return self.file or f".changeset/{self.id}.md"


def parse_changeset(identifier: str, text: str, *, file: str, commit: str = "") -> Changeset:
    """Read the text of a changeset. Raises `InputError` that names `file` and the line."""
    normal = text.replace("\r\n", "\n")
    document = DOCUMENT.search(normal)
    if document is None:
        raise _refuse(file, 1, "a YAML map between two lines of '---'", normal.strip().split("\n")[0] or "nothing")
    first_line = normal[: document.start("header")].count("\n") + 1
    releases = _read_releases(document["header"], file, first_line)
    return Changeset(identifier, releases, document["summary"].strip(), commit)


def refuse_mixed(changesets: Iterable[Changeset], known: frozenset[str], skipped: frozenset[str]) -> None:
    """Raise `InputError` for a changeset about unknown packages, or about versioned and `skipped` ones at once."""
    for changeset in changesets:
        names = [name for name, _ in changeset.releases]
        unknown = [name for name in names if name not in known]
        if unknown:
            raise InputError(
                f"{changeset.path} names a package that does not exist",
                expected=f"one of: {', '.join(sorted(known)) or 'no package at all'}",
                found=repr(unknown[0]),
                next_step="correct the name in the changeset, or delete the file",
            )
        left_out = [name for name in names if name in skipped]
        if left_out and len(left_out) < len(names):
            raise InputError(
                f"{changeset.path} mixes packages that are versioned with one that is not",
                expected="only packages that are versioned, or only ones that are not",
                found=f"{left_out[0]!r}, which is ignored, private or without a version",
                next_step="split the changeset in two, or let the package be versioned: see 'ignore' and "
                "'privatePackages' in .changeset/config.json",
            )


def _read_releases(header: str, file: str, first_line: int) -> tuple[tuple[str, Bump], ...]:
    plain = [PLAIN_LINE.fullmatch(line) for line in header.strip("\n").split("\n")]
    releases = {line["name"]: Bump(line["bump"]) for line in plain if line is not None}
    return tuple(releases.items()) if len(releases) == len(plain) else _read_yaml(header, file, first_line)


def _read_yaml(header: str, file: str, first_line: int) -> tuple[tuple[str, Bump], ...]:
    import yaml  # noqa: PLC0415 - it takes long, and hardly a changeset needs it

    try:
        node = yaml.compose(header, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = first_line + (error.problem_mark.line if error.problem_mark else 0)
        raise _refuse(file, line, "a YAML map", str(error.problem)) from error
    except yaml.YAMLError as error:
        raise _refuse(file, first_line, "a YAML map", str(error)) from error
    if node is None:
        return ()
    if not isinstance(node, yaml.MappingNode):
        raise _refuse(file, first_line + node.start_mark.line, "a map of package names", repr(header.strip()))
    releases: dict[str, Bump] = {}
    for key, value in node.value:
        line = first_line + key.start_mark.line
        if not isinstance(key, yaml.ScalarNode) or not isinstance(value, yaml.ScalarNode):
            raise _refuse(file, line, "lines of the form 'package-name': bump", "something nested")
        if key.value in releases:
            raise _refuse(file, line, "every package once", f"{key.value!r} twice")
        if value.value not in set(Bump):
            raise _refuse(file, line, "major, minor, patch or none", repr(value.value))
        releases[key.value] = Bump(value.value)
    return tuple(releases.items())


def _refuse(file: str, line: int, expected: str, found: str) -> InputError:
    return InputError(f"{file}:{line} is not a changeset", expected=expected, found=found, next_step=EXAMPLE)
