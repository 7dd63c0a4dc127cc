"""What should run in a slot, written down in the slot's folder."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from switchover.adapters.private_files import (
    ensure_private_folder,
    read_json_or_none,
    read_or_none,
    write_private,
    write_private_json,
)
from switchover.adapters.supervisor_config import Program
from switchover.errors import InputError
from switchover.model import Colour, Release, Workload

_HOST = "127.0.0.1"
_KILL_AFTER_DRAIN_SECONDS = 5.0
_RUNNER_GRACE_SECONDS = 5.0


class Kind(StrEnum):
    """How the replicas of a slot run."""

    PROCESSES = "processes"
    CONTAINERS = "containers"


@dataclass(frozen=True, slots=True)
class SlotFile:
    """The wish for one slot: which release and workload (by digest), where, and what stopping it needs."""

    digest: str
    ports: tuple[int, ...]
    version: str
    health_path: str
    drain_seconds: float
    log_error_pattern: str
    secret_variables: tuple[str, ...]
    kind: Kind = Kind.PROCESSES

    @property
    def addresses(self) -> tuple[str, ...]:
        """`host:port` of each replica."""
        return tuple(f"{_HOST}:{port}" for port in self.ports)

    @property
    def stop_seconds(self) -> float:
        """How long a replica may take between SIGTERM and SIGKILL."""
        return self.drain_seconds + _KILL_AFTER_DRAIN_SECONDS

    @property
    def gone_seconds(self) -> float:
        """How long until even a replica that had to be killed is gone."""
        return self.stop_seconds + _RUNNER_GRACE_SECONDS


class SlotFolder:
    """The files of one slot. `group` is `<service>-<colour>`."""

    def __init__(self, folder: Path, group: str) -> None:
        self._folder = folder
        self.group = group

    def read(self) -> SlotFile | None:
        """What should run, or None when nothing should."""
        found = read_json_or_none(self._folder / "slot.json")
        if found is None:
            return None
        lists = {name: tuple(found[name]) for name in ("ports", "secret_variables")}
        return SlotFile(**(found | lists | {"kind": Kind(found.get("kind", Kind.PROCESSES))}))

    def read_kind(self) -> Kind:
        """How the replicas of this life of the slot run, or ran last: what is left of them is of that kind."""
        return Kind(read_or_none(self._folder / "kind") or Kind.PROCESSES)

    def write(self, slot: SlotFile) -> None:
        """Begin a new life of this slot: logs and events of the one before are dropped."""
        shutil.rmtree(self._folder, ignore_errors=True)
        ensure_private_folder(self._folder)
        write_private(self._folder / "kind", slot.kind)
        write_private_json(self._folder / "slot.json", asdict(slot))

    def forget(self) -> None:
        """Nothing should run; the logs stay until the next life."""
        (self._folder / "slot.json").unlink(missing_ok=True)

    def take_files(self, unpacked: Path) -> None:
        """Move the release's files here; what this life of the slot has already stays, replicas run in it."""
        if self.files.is_dir():
            shutil.rmtree(unpacked, ignore_errors=True)
        else:
            unpacked.rename(self.files)

    def write_programs(self, slot: SlotFile, release: Release, colour: Colour, workload: Workload) -> None:
        """Write what each replica's runner reads. There are no secrets in it."""
        for number, port in enumerate(slot.ports):
            specification = {
                "replica": number,
                "command": [sys.executable if word == "{python}" else word for word in workload.command],
                "folder": str(self.files),
                "environment": replica_variables(release, colour, workload, number, port),
                "secret_variables": list(workload.secret_variables),
                "memory_limit_mb": workload.memory_limit_mb,
                "stop_seconds": slot.stop_seconds,
                "events": str(self.events),
            }
            write_private_json(self._specification(number), specification)

    def programs(self, slot: SlotFile, runner: Path) -> tuple[Program, ...]:
        """The supervisor's programs, one per replica."""
        return tuple(
            Program(
                f"{self.group}-{number}",
                (sys.executable, "-I", "-S", str(runner), str(self._specification(number))),
                self.log(number),
                slot.stop_seconds + _RUNNER_GRACE_SECONDS / 2,
            )
            for number in range(len(slot.ports))
        )

    @property
    def files(self) -> Path:
        """The release as it was unpacked for this life of the slot, the working folder of its processes."""
        return self._folder / "files"

    @property
    def containers(self) -> Path:
        """What each replica's container is made of."""
        return self._folder / "containers.json"

    @property
    def log_positions(self) -> Path:
        """How far the logs of the containers were brought here."""
        return self._folder / "log-positions.json"

    @property
    def log_lock(self) -> Path:
        """Held while logs are brought here; it stays when a new life of the slot begins."""
        return self._folder.with_name(f"{self._folder.name}.lock")

    @property
    def throttling(self) -> Path:
        """The counts of throttled periods at the last look."""
        return self._folder / "throttling.json"

    @property
    def events(self) -> Path:
        """Where the runners write spawns and exits."""
        return self._folder / "events.jsonl"

    @property
    def cursors(self) -> Path:
        """How far the logs were counted."""
        return self._folder / "log-cursors.json"

    def log(self, number: int) -> Path:
        """The log of one replica."""
        return self._folder / f"replica-{number}.log"

    def logs(self) -> tuple[Path, ...]:
        """The logs of all replicas that this life of the slot has had."""
        return tuple(sorted(self._folder.glob("replica-*.log")))

    def _specification(self, number: int) -> Path:
        return self._folder / f"replica-{number}.json"


def find_wanted(state: Path) -> tuple[str, ...]:
    """The groups in which something should run, in the environment that keeps its state there."""
    return tuple(sorted(file.parent.name for file in state.glob("slots/*/slot.json")))


def replica_variables(release: Release, colour: Colour, workload: Workload, number: int, port: int) -> dict[str, str]:
    """The environment of one replica, without its secrets."""
    return dict(workload.environment) | {
        "PORT": str(port),
        "SWITCHOVER_SERVICE": release.service,
        "SWITCHOVER_COLOUR": str(colour),
        "SWITCHOVER_VERSION": release.version,
        "SWITCHOVER_REPLICA": str(number),
    }


def slot_digest(release: Release, workload: Workload) -> str:
    """The same for the same release and workload, and for nothing else."""
    text = json.dumps([asdict(release), asdict(workload)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def require_runnable(workload: Workload, environ: Mapping[str, str]) -> None:
    """Raise `InputError` for a workload that cannot run here."""
    missing = [name for name in workload.secret_variables if name not in environ]
    if missing:
        raise InputError(
            "the service's secret variables are not set",
            expected=f"{', '.join(workload.secret_variables)} in this process's environment",
            found=f"no {', '.join(missing)}",
            next_step="set them and repeat",
        )
    try:
        re.compile(workload.log_error_pattern)
    except re.error as error:
        raise _refused(
            "log_error_pattern", "a regular expression", f"{workload.log_error_pattern!r}: {error}"
        ) from error
    if not workload.command and workload.container is None:
        raise _refused("command", "at least a program", "nothing")
    if workload.replicas < 1:
        raise _refused("replicas", "at least 1", str(workload.replicas))


def _refused(name: str, expected: str, found: str) -> InputError:
    return InputError(
        f"the service's {name} cannot be used",
        expected=expected,
        found=found,
        next_step="correct it in switchover.toml",
    )
