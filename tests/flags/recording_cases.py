"""Flag sets and keepers for the tests of recording."""

from __future__ import annotations

from dataclasses import dataclass, field

from switchover.errors import TargetError
from switchover.flags.compiler import compile_set
from switchover.flags.flag_set import FlagSet
from switchover.flags.records import Batch
from switchover.flags.snapshot import Json, Snapshot
from tests.flags.memory_records import MemoryRecords

SPLIT: Json = {"fractional": [["on", 50], ["off", 50]]}


def boolean(targeting: Json | None = None, *, experiment: bool = False) -> Json:
    flag: dict[str, Json] = {"state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": "off"}
    if targeting is not None:
        flag["targeting"] = targeting
    if experiment:
        flag["metadata"] = {"switchover.experiment": True}
    return flag


def snapshot(version: int = 1, **flags: Json) -> Snapshot:
    return Snapshot(version, "one", {f"flags/{key}": flag for key, flag in flags.items()})


def compiled(version: int = 1, before: FlagSet | None = None, **flags: Json) -> FlagSet:
    return compile_set(snapshot(version, **flags), before=before)


@dataclass(slots=True)
class Outage:
    """A keeper that can be away, before it has kept a batch or after."""

    keeper: MemoryRecords = field(default_factory=MemoryRecords)
    is_silent: bool = False
    loses_answers: bool = False

    def write(self, batch: Batch) -> None:
        if self.is_silent:
            raise _trouble()
        self.keeper.write(batch)
        if self.loses_answers:
            raise _trouble()


def _trouble() -> TargetError:
    return TargetError("not kept", expected="an answer", found="none", next_step="wait")


@dataclass(slots=True)
class Clock:
    now: float = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now
