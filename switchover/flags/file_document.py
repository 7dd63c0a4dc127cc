"""A flag set in a JSON file of flagd's schema, and what we note in its metadata: version, lineage and a digest.

By the digest a file that was edited by hand is told from one that a store has written: the version is that of a state
which is not there any more, and the edit counts as the next version.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from switchover.errors import InputError, LedgerUnreadableError, TargetError
from switchover.flags.definition import read_stored
from switchover.flags.flag_size import MAX_SET_BYTES
from switchover.flags.snapshot import Json, Part, Snapshot

_SHOWN: Final = 300
SCHEMA: Final = "https://flagd.dev/schema/v0/flags.json"
_VERSION, _LINEAGE, _DIGEST = _NOTED = (
    "metadata/switchover.version",
    "metadata/switchover.lineage",
    "metadata/switchover.digest",
)


@dataclass(frozen=True, slots=True)
class Noted:
    """What stands in the file. `is_ours`: nobody has edited it since a store has written it."""

    version: int
    lineage: str
    parts: Mapping[Part, Json]
    is_ours: bool


NOTHING: Final = Noted(0, "", {}, is_ours=False)


def read_file(path: Path) -> bytes | None:
    """The content, None where there is no file. Raises `OSError`, and `ValueError` for what is no file or too big."""
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise ValueError("it is no file")
        if found.st_size > MAX_SET_BYTES:
            raise ValueError(f"it has {found.st_size:,} bytes, at most {MAX_SET_BYTES:,} are read")
        with path.open("rb") as file:
            return file.read(MAX_SET_BYTES + 1)
    except FileNotFoundError:
        return None


def parse_file(content: bytes) -> Noted:
    """The set in it. Raises `InputError` for what is no set; whether each flag is sound is not looked at."""
    parts = read_stored(content)
    version, lineage, digest = (parts.pop(name, None) for name in _NOTED)
    known = version if isinstance(version, int) and version > 0 and version is not True else 0
    name = lineage if isinstance(lineage, str) else ""
    return Noted(known, name, parts, is_ours=bool(known and name) and digest == digest_of(parts))


def write_document(snapshot: Snapshot) -> bytes:
    """The file of a set. Raises `InputError` when it is too big."""
    noted: dict[Part, Json] = dict(
        zip(_NOTED, (snapshot.version, snapshot.lineage, digest_of(snapshot.parts)), strict=True)
    )
    document = {"$schema": SCHEMA, **Snapshot(parts={**snapshot.parts, **noted}).document()}
    content = f"{to_text(document, indent=2)}\n".encode()
    if len(content) > MAX_SET_BYTES:
        raise InputError(
            "the flag set would be too big",
            expected=f"at most {MAX_SET_BYTES:,} bytes",
            found=f"{len(content):,} bytes",
            next_step="remove flags, or divide them between two sets",
        )
    return content


def to_text(value: object, *, indent: int | None = None) -> str:
    """The JSON of what came from a file, where it may have been edited: half a surrogate pair is as it was, escaped.

    Raises `InputError` for what cannot be written again: a number past all bounds, thousands of levels.
    """
    separators = None if indent else (",", ":")
    try:
        text = json.dumps(value, indent=indent, separators=separators, ensure_ascii=False, allow_nan=False)
    except (ValueError, RecursionError) as error:
        raise InputError(
            "the flag set cannot be written",
            expected="numbers and levels that JSON's readers take",
            found=f"a part that somebody has edited: {error}",
            next_step="mend it in the file, then repeat; nothing was changed",
        ) from None
    return text.encode(errors="backslashreplace").decode()


def digest_of(parts: Mapping[Part, Json]) -> str:
    """Equal for sets that differ in spaces and order alone."""
    text = json.dumps(dict(parts), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def replace_file(path: Path, content: bytes, like: Path) -> None:
    """Put it in the place of the file at once, with the mode and owner of the one before, else those of `like`.

    The caller holds the lock. Raises `OSError`.
    """
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    try:
        with beside.open("xb") as file:
            for model in (like, path):
                with contextlib.suppress(FileNotFoundError):
                    _keep_rights(file.fileno(), model.stat())
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _keep_rights(descriptor: int, before: os.stat_result) -> None:
    with contextlib.suppress(PermissionError):
        # Only root may give files away; for everybody else the owner is the same already.
        os.fchown(descriptor, before.st_uid, before.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(before.st_mode))


def unreadable(path: Path, found: str) -> LedgerUnreadableError:
    """The file is not what it should be."""
    return LedgerUnreadableError(
        f"the flag set in {path} is broken",
        expected="a set in flagd's schema",
        found=found if len(found) <= _SHOWN else f"{found[:_SHOWN]}…",
        next_step="mend it, or bring an older one back; nothing was changed",
    )


def silent(path: Path, error: OSError) -> TargetError:
    """The disk refused."""
    return TargetError(
        f"the flag set in {path} cannot be reached",
        expected="a file that may be read, in a folder that may be written to",
        found=error.strerror or type(error).__name__,
        next_step="look at the disk and at the rights, then repeat",
    )
