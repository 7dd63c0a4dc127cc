"""A set and parts for the tests of the client."""

from __future__ import annotations

from switchover.flags.context import Context
from switchover.flags.ports import Listener
from switchover.flags.resolution import Resolution
from switchover.flags.snapshot import Json, Snapshot, parts_of


def flag(variants: dict[str, Json], default: str | None, **more: Json) -> dict[str, Json]:
    return {"state": "ENABLED", "variants": dict(variants), "defaultVariant": default, **more}


ON_OFF: dict[str, Json] = {"on": True, "off": False}
ADA: Json = {"if": [{"==": [{"var": "targetingKey"}, "ada"]}, "on", "off"]}
DOCUMENT: dict[str, object] = {
    "flags": {
        "on": flag(ON_OFF, "on"),
        "ada": flag(ON_OFF, "off", targeting=ADA),
        "asleep": flag(ON_OFF, "on", state="DISABLED"),
        "broken": {"state": "ENABLED", "variants": {"on": True}, "defaultVariant": "nowhere"},
        "count": flag({"few": 3, "many": 10.0}, "few"),
        "many": flag({"few": 3, "many": 10.0}, "many"),
        "half": flag({"half": 0.5}, "half"),
        "colour": flag({"warm": "red", "cold": "blue"}, "warm"),
        "tree": flag({"a": {"list": [1, {"x": 2}]}}, "a"),
        "trial": flag(ON_OFF, "on", metadata={"switchover.experiment": True}),
    }
}


def a_snapshot(version: int = 1, **flags: Json) -> Snapshot:
    return Snapshot(version, "tests", {**parts_of(DOCUMENT), **{f"flags/{key}": value for key, value in flags.items()}})


class Feed:
    """A feed in the hands of the test."""

    def __init__(self, snapshot: Snapshot | None = None) -> None:
        self.snapshot = snapshot
        self.listener: Listener | None = None
        self.stopped = 0

    def start(self, listener: Listener) -> None:
        self.listener = listener
        if self.snapshot is not None:
            listener.replace(self.snapshot)

    def stop(self) -> None:
        self.stopped += 1

    @property
    def to(self) -> Listener:
        assert self.listener is not None
        return self.listener


class FailingFeed(Feed):
    def start(self, listener: Listener) -> None:
        super().start(listener)
        raise OSError

    def stop(self) -> None:
        raise OSError


class Recorded:
    """A recorder that remembers, and fails with `error` if there is one."""

    def __init__(self, error: Exception | None = None) -> None:
        self.calls: list[tuple[object, ...]] = []
        self._error = error

    def _note(self, *call: object) -> None:
        self.calls.append(call)
        if self._error is not None:
            raise self._error

    def swapped(self, flag_set: object) -> None:
        self._note("swapped", type(flag_set).__name__)

    def exposed(self, resolution: Resolution, context: Context) -> None:
        self._note("exposed", resolution.flag, resolution.variant, context.targeting_key)

    def tracked(self, event: str, context: Context, value: float | None) -> None:
        self._note("tracked", event, context.targeting_key, value)

    def start(self) -> None:
        self._note("start")

    def stop(self) -> None:
        self._note("stop")
