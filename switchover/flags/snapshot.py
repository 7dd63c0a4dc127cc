"""A flag set as it is stored, and how it changes: versions, parts, edits, the audit trail."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

Part: TypeAlias = str
"""Where in the set: `flags/<key>`, `$evaluators/<name>` or `metadata/<name>` (everything after the first slash is
the name)."""

Edits: TypeAlias = "Mapping[Part, Json]"
"""The new JSON of each changed part; None: the part is removed."""

SECTIONS = ("flags", "$evaluators", "metadata")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A whole set at one version.

    `version` counts the changes, 0: nothing was ever stored. `lineage` is a random name that the set got when it
    was first written; versions of two lineages cannot be compared (somebody began anew).
    """

    version: int = 0
    lineage: str = ""
    parts: Mapping[Part, Json] = field(default_factory=dict)

    def document(self) -> dict[str, Json]:
        """The set in the flagd schema."""
        sections: dict[str, dict[str, Json]] = {"flags": {}}
        for part, value in self.parts.items():
            section, _, name = part.partition("/")
            sections.setdefault(section, {})[name] = value
        return dict(sections)

    def flag(self, key: str) -> Json:
        """The flag's JSON, None where there is none."""
        return self.parts.get(f"flags/{key}")

    def after(self, version: int, edits: Edits) -> Snapshot:
        """The set at `version`, with these edits."""
        parts = {**self.parts, **edits}
        return Snapshot(version, self.lineage, {part: value for part, value in parts.items() if value is not None})


def parts_of(document: Mapping[str, object]) -> dict[Part, Json]:
    """The parts of a document in the flagd schema; what belongs to no section (`$schema`) is left out."""
    parts: dict[Part, Json] = {}
    for section in SECTIONS:
        members = document.get(section)
        if isinstance(members, dict):
            parts |= {f"{section}/{name}": value for name, value in members.items()}
    return parts


def edits_between(old: Mapping[Part, Json], new: Mapping[Part, Json]) -> dict[Part, Json]:
    """What has to be edited to get from one to the other."""
    changed: dict[Part, Json] = {
        part: value for part, value in new.items() if part not in old or not written_alike(old[part], value)
    }
    return changed | {part: None for part in old if part not in new}


def written_alike(one: object, other: object) -> bool:
    """Whether two values are the same JSON: 1, 1.0 and true, which Python calls equal, differ.

    What cannot be compared (it is no JSON, or too deep) differs. Never raises.
    """
    if one is other:
        return True
    try:
        return one == other and json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    except Exception:  # noqa: BLE001 - the values may be of any class
        return False


@dataclass(frozen=True, slots=True)
class Note:
    """Who changed something, why, and by which command (`kill`, `set`, `import` …)."""

    who: str
    why: str
    action: str


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of the audit trail: it made `version` out of the one before. `before` undoes it.

    `mark` tells it from every other change, also from one of the same number on the other side of a failover; empty
    where the store leaves none.
    """

    version: int
    at: datetime
    note: Note
    edits: Edits
    before: Edits
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """What a process has said last: that it serves `version` of `lineage`, which the change with `mark` has made.

    `seen_seconds_ago`: since its last sign of life. A process whose word cannot be understood has version 0.
    """

    instance: str
    host: str
    pid: int
    version: int
    lineage: str
    seen_seconds_ago: float
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Acknowledgements:
    """What the processes that follow a set have said, and what the set itself is at that very moment.

    Who ends takes its name away; who falls silent stays for some minutes. `known` is False where the place has no word
    from those who read it.
    """

    version: int = 0
    lineage: str = ""
    mark: str = ""
    processes: tuple[Acknowledgement, ...] = ()
    known: bool = True

    def __iter__(self) -> Iterator[Acknowledgement]:
        """The processes."""
        return iter(self.processes)

    def __len__(self) -> int:
        """How many processes."""
        return len(self.processes)
