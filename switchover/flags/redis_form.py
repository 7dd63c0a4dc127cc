"""How a set is kept in Redis: the keys and what they hold. No I/O.

All keys of a set carry the hash tag `{switchover:flags:<set>}`, so that a Cluster keeps them on one node.

- `<tag>:set`, a hash: a field per part (`flags/checkout` → its JSON), and `version`, `lineage`, `size` (bytes of all
  parts) and `mark`, a random word that each change leaves. The version alone cannot tell apart two changes that got
  the same number on two sides of a failover; the mark does.
- `<tag>:changes`, a stream: entry `<version>-0` holds `lineage`, `mark`, the `previous` mark, `at` (ms since 1970, the
  server's clock), `who`, `why`, `action`, `edits` (a JSON object, null: removed) and `before` (one line per edit, in
  the same order: the JSON that was there, empty: none). A reader sees a gap by the numbers.
- `<tag>:changes:former`, the stream of the lineage before, when somebody began anew.
- `<tag>:live`, a hash: instance → JSON `{"host", "pid", "version", "lineage", "mark"}`, and `<tag>:seen`, a sorted set:
  instance → ms since 1970 by the server's clock. Who ends takes its name away. Who falls silent without that keeps it
  for 5 minutes, since it may hang and go on with old flags; then the next who says something sweeps it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from switchover.flags.snapshot import SECTIONS, Acknowledgement, Edits, Json, Note, Part, Snapshot

MOST_BYTES: Final = 16 * 1024 * 1024
"""The most that all parts of a set may take."""

REMEMBERED_MS: Final = 300_000
"""So long a process that fell silent is named."""

HEAD_FIELDS: Final = ("version", "lineage", "mark", "size")


class MalformedError(ValueError):
    """What is stored is not what a set looks like. The text says where."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one set."""

    set: str
    changes: str
    former: str
    live: str
    seen: str


def keys_of(set_name: str) -> Keys:
    """All with the same hash tag."""
    tag = f"{{switchover:flags:{set_name}}}"
    return Keys(f"{tag}:set", f"{tag}:changes", f"{tag}:changes:former", f"{tag}:live", f"{tag}:seen")


@dataclass(frozen=True, slots=True)
class Head:
    """What tells one state of a set from every other. `size` is that of all parts in bytes."""

    version: int
    lineage: str
    mark: str
    size: int = 0


@dataclass(frozen=True, slots=True)
class StoredSet:
    """A set with the mark of its last change."""

    snapshot: Snapshot = field(default_factory=Snapshot)
    mark: str = ""

    def precedes(self, entry: Entry) -> bool:
        """Whether that change was made to this very state."""
        ours = self.snapshot
        return (ours.version + 1, ours.lineage, self.mark) == (entry.version, entry.lineage, entry.previous)

    def is_at(self, head: Head) -> bool:
        """Whether it is that very state."""
        ours = self.snapshot
        return (ours.version, ours.lineage, self.mark) == (head.version, head.lineage, head.mark)


@dataclass(frozen=True, slots=True)
class Entry:
    """One change of the stream, its edits still as text."""

    version: int
    lineage: str
    mark: str
    previous: str
    at: datetime
    note: Note
    edits: str
    before: str


def read_json(text: str | bytes) -> Json:
    """Parse strictly: no NaN, no endless nesting, UTF-8. Raises `MalformedError`."""
    try:
        decoded = text if isinstance(text, str) else text.decode()
        value: Json = _DECODER.decode(decoded)
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"no JSON: {type(error).__name__}") from None
    return value


def write_json(value: Json) -> str:
    """On one line, in UTF-8. Raises `ValueError` for what JSON has not (NaN)."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def read_head(values: Sequence[bytes | None]) -> Head | None:
    """Of the fields `HEAD_FIELDS`; None where there is no set. Raises `MalformedError`."""
    version, lineage, mark, size = ((value or b"").decode(errors="replace") for value in values)
    if not version:
        return None
    if not re.fullmatch("[1-9][0-9]{0,14}", version):
        raise MalformedError("the set's `version` is no number")
    return Head(int(version), lineage, mark, int(size) if re.fullmatch("[0-9]{1,15}", size) else 0)


def split_set(fields: Mapping[bytes, bytes]) -> tuple[Head | None, dict[Part, bytes]]:
    """The head of the whole hash and the text of its parts. Raises `MalformedError`."""
    head = read_head([fields.get(name.encode()) for name in HEAD_FIELDS])
    if head is None and fields:
        raise MalformedError("the set has no `version`")
    parts = {name.decode(errors="replace"): text for name, text in fields.items() if b"/" in name}
    return head, parts


def read_parts(texts: Mapping[Part, bytes], known: Mapping[Part, Json]) -> tuple[dict[Part, Json], dict[Part, str]]:
    """All parts, and what is wrong with those that are broken.

    A broken part keeps its last known value. Where there is none it is handed on as its text, which no flag is, so
    that only that flag answers with an error.
    """
    parts: dict[Part, Json] = {}
    broken: dict[Part, str] = {}
    for part, text in texts.items():
        try:
            parts[part] = read_json(text)
        except MalformedError as error:
            broken[part] = str(error)
            parts[part] = known.get(part, text.decode(errors="replace"))
    return parts, broken


def read_edits(text: str) -> Edits:
    """The edits of an entry. Raises `MalformedError`."""
    edits = read_json(text)
    if not isinstance(edits, dict) or not all(is_part(part) for part in edits):
        raise MalformedError("the edits are no object of parts")
    return edits


def is_part(name: str) -> bool:
    """Whether something of this name belongs to a set."""
    section, slash, rest = name.partition("/")
    return section in SECTIONS and bool(slash and rest)


def read_entry(identity: bytes, fields: Mapping[bytes, bytes] | None) -> Entry:
    """An entry of the stream. Raises `MalformedError`."""
    version = re.fullmatch(rb"([1-9][0-9]{0,14})-0", identity)
    if version is None or fields is None:
        raise MalformedError(f"entry {identity.decode(errors='replace')} is not one of a set's")
    text = {name.decode(errors="replace"): value.decode(errors="replace") for name, value in fields.items()}
    try:
        at = datetime.fromtimestamp(int(text["at"]) / 1000, UTC)
        note = Note(text["who"], text["why"], text["action"])
        return Entry(
            int(version[1]), text["lineage"], text["mark"], text["previous"], at, note, text["edits"], text["before"]
        )
    except (KeyError, ValueError, OverflowError, OSError):
        raise MalformedError(f"entry {identity.decode()} lacks a field, or one is broken") from None


def read_before(edits: Edits, lines: str) -> Edits:
    """What each edit replaced. A line that is no JSON stands as its text. Raises `MalformedError`."""
    texts = lines.split("\n") if edits else []
    if len(texts) != len(edits):
        raise MalformedError("an entry's `before` does not belong to its `edits`")
    return {part: _value_or_text(text) if text else None for part, text in zip(edits, texts, strict=True)}


def read_acknowledgement(instance: bytes, text: bytes | None, seconds_ago: float) -> Acknowledgement:
    """What an instance said last. What is not in the form says nothing, but somebody is there who said it."""
    name, ago = instance.decode(errors="replace"), max(0.0, seconds_ago)
    try:
        said = read_json(text or b"")
    except MalformedError:
        said = None
    match said:
        case {"host": str(host), "pid": int(pid), "version": int(version), "lineage": str(lineage), "mark": str(mark)}:
            return Acknowledgement(name, host, pid, version, lineage, ago, mark)
    return Acknowledgement(name, "unknown host", 0, 0, "", ago)


def _value_or_text(text: str) -> Json:
    try:
        return read_json(text)
    except MalformedError:
        return text


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


# Made once: `json.loads` with an option makes one for each text.
_DECODER: Final = json.JSONDecoder(parse_constant=_refuse_constant)
