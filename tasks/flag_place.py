"""Where the flags of an environment are: what its block says, else the variable, else switchover.toml."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from blocks.flag_store import name_flag_block, read_flag_place
from switchover.cli.flags_place import find_place
from switchover.flags.experiment_store import RedisRecords
from switchover.flags.opening import open_store
from switchover.flags.ports import FlagStore
from switchover.flags.records import ExperimentKeeper

_log = logging.getLogger("prefect.flow_runs.switchover")
_KEEPS_RECORDS = ("redis", "unix:")


@dataclass(frozen=True, slots=True)
class FlagPlace:
    """Plain names, so that a task's inputs stay data and hold no secret; every task connects for itself."""

    config: str
    environment: str

    def read(self) -> str:
        """The place, which may be a secret: it is neither returned by a task nor logged."""
        return _read_block(self.environment) or find_place(None, Path(self.config))

    def open(self) -> FlagStore:
        """The store. Raises `InputError`."""
        return open_store(self.read())

    def open_records(self) -> ExperimentKeeper | None:
        """What applications have counted; None where the place keeps no records."""
        place = self.read()
        return RedisRecords(place) if place.startswith(_KEEPS_RECORDS) else None


@cache
def _read_block(environment: str) -> str | None:
    """Read once in a process. A server that does not answer must not keep a flag from being taken back."""
    try:
        return read_flag_place(environment)
    except Exception as error:  # noqa: BLE001 whatever the server does, the work goes on
        _log.warning("the block %s could not be read (%s)", name_flag_block(environment), type(error).__name__)
        return None
