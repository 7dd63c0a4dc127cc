"""What the project adds to the flagd schema: primitives in a flag's `metadata`, named `switchover.…`.

Reading is tolerant, since a set that is broken must not take a process down: what is broken reads as absent.
`switchover.flags.definition` is what refuses it when it is stored.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import Final

PREFIX: Final = "switchover."
OWNER: Final = "switchover.owner"
CREATED: Final = "switchover.created"
EXPIRES: Final = "switchover.expires"
PREREQUISITES: Final = "switchover.prerequisites"
OFF: Final = "switchover.off"
KILL: Final = "switchover.kill"
KILLED_STATE: Final = "switchover.killed_state"
EXPERIMENT: Final = "switchover.experiment"

NAMES: Final = (OWNER, CREATED, EXPIRES, PREREQUISITES, OFF, KILL, KILLED_STATE, EXPERIMENT)

NO_PREREQUISITES: Final[Mapping[str, str]] = MappingProxyType({})
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True, slots=True)
class Additions:
    """What a flag's metadata say in the project's own words; None where they say nothing.

    `prerequisites` maps other flags to the variant that each has to serve. `off` is the variant that a kill or a
    failed prerequisite serves, `kill` the one served while the flag is killed. `experiment`: exposures per context
    are recorded.
    """

    owner: str | None = None
    created: date | None = None
    expires: date | None = None
    prerequisites: Mapping[str, str] = field(default_factory=lambda: NO_PREREQUISITES)
    off: str | None = None
    kill: str | None = None
    experiment: bool = False


def read_additions(flag: Mapping[str, object]) -> Additions:
    """The additions of a flag's JSON. Never raises."""
    metadata = flag.get("metadata")
    if not isinstance(metadata, Mapping):
        return Additions()
    return Additions(
        owner=_text(metadata.get(OWNER)),
        created=read_date(metadata.get(CREATED)),
        expires=read_date(metadata.get(EXPIRES)),
        prerequisites=read_prerequisites(metadata.get(PREREQUISITES)) or NO_PREREQUISITES,
        off=_text(metadata.get(OFF)),
        kill=_text(metadata.get(KILL)),
        experiment=metadata.get(EXPERIMENT) is True,
    )


def is_killed(flag: object) -> bool:
    """Whether the flag serves one variant to everybody, whatever its rule says. Never raises."""
    metadata = flag.get("metadata") if isinstance(flag, Mapping) else None
    return isinstance(metadata, Mapping) and KILL in metadata


def off_variant(flag: Mapping[str, object]) -> str | None:
    """What a kill serves: the variant of `switchover.off`, else the only variant that is false; None where neither."""
    variants = flag.get("variants")
    if not isinstance(variants, Mapping):
        return None
    stated = read_additions(flag).off
    if stated is not None and stated in variants:
        return stated
    return only_variant(variants, value=False)


def only_variant(variants: Mapping[str, object], *, value: bool) -> str | None:
    """The variant with this boolean as its value, where there is exactly one."""
    names = [name for name, given in variants.items() if given is value]
    return names[0] if len(names) == 1 else None


def read_date(value: object) -> date | None:
    """The day of a text like 2026-12-31; None for anything else."""
    if not isinstance(value, str) or not _DATE.fullmatch(value) or not value.isascii():
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None


def read_prerequisites(value: object) -> dict[str, str] | None:
    """The flags and variants of a text like `{"other-flag": "on"}`; None for anything else."""
    if not isinstance(value, str):
        return None
    try:
        wanted = json.loads(value)
    except (ValueError, RecursionError):
        return None
    if not isinstance(wanted, dict) or not all(isinstance(variant, str) for variant in wanted.values()):
        return None
    return wanted


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
