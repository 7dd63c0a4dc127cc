"""Replicas as containers of a Docker-compatible engine."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from switchover.adapters.container_engine import ContainerEngine
from switchover.adapters.container_logs import collect_log
from switchover.adapters.container_values import ContainerEvent, ContainerState, ContainerWish
from switchover.adapters.image_archive import ArchivedImage, open_platform, read_image
from switchover.adapters.private_files import locked, read_json_or_none, write_private_json
from switchover.adapters.replica_logs import tells_of_no_memory
from switchover.adapters.replicas import ReplicaReport
from switchover.adapters.slot_file import SlotFile, SlotFolder, replica_variables
from switchover.adapters.waiting import wait_until
from switchover.errors import SwitchoverError
from switchover.model import Colour, Release, Workload
from switchover.ports import ArtifactStore

_ENVIRONMENT, _GROUP, _REPLICA, _WISH = (f"switchover.{name}" for name in ("environment", "slot", "replica", "wish"))
_KILLED = 128 + 9
# The share of periods at the CPU limit from which on a replica counts as throttled, and how many make a share.
_THROTTLED_SHARE = 0.25
_LEAST_PERIODS = 10
_END_SECONDS = 5.0
_AGAIN_SECONDS = 2.0


class ContainerReplicas:
    """Each replica is a container `switchover-<environment>-<service>-<colour>-<n>`, published on the loopback.

    Its environment is what the workload says, `PORT` (inside), `SWITCHOVER_SERVICE`, `_COLOUR`, `_VERSION`,
    `_REPLICA`, and its secrets. The engine starts it again when it ends by itself, and keeps it after the machine
    was restarted. `key` tells the containers of one environment from those of another.
    """

    def __init__(
        self, engine: ContainerEngine, store: ArtifactStore, images: Path, key: str, environ: Mapping[str, str]
    ) -> None:
        self._engine = engine
        self._store = store
        self._images = images
        self._key = key
        self._environ = environ
        self._ask_again: dict[str, float] = {}

    def prepare(self, release: Release, workload: Workload) -> str:  # noqa: ARG002 other kinds need it
        """Bring the image into the engine, unless it is there whole; return its name."""
        note = self._images / f"{release.artifact.digest.rpartition(':')[2]}.image.json"
        known = read_json_or_none(note)
        image = ArchivedImage(known["tag"], tuple(known["layers"])) if known else None
        if image is None or self._engine.read_layers(image.tag) != image.layers:
            stored = self._store.fetch(release.artifact.digest)
            with open_platform(stored, self._engine.read_platform) as archive:
                image = read_image(archive)
                self._engine.load(archive)
            write_private_json(note, {"tag": image.tag, "layers": image.layers})
        return image.tag

    def exists(self, group: str) -> bool:
        """Whether there are containers of the group."""
        return bool(self._read(group))

    def write(
        self, slot: SlotFolder, wanted: SlotFile, release: Release, colour: Colour, workload: Workload, prepared: str
    ) -> None:
        """Write what each container is made of."""
        if workload.container is None:
            msg = "a workload of processes cannot run as containers"
            raise ValueError(msg)
        document = {
            "image": prepared,
            "port": workload.container.port,
            "memory_limit_mb": workload.memory_limit_mb,
            "cpus": workload.container.cpus,
            "read_only": workload.container.read_only,
            "capabilities": workload.container.capabilities,
            "environments": [
                replica_variables(release, colour, workload, number, workload.container.port)
                for number in range(len(wanted.ports))
            ],
        }
        write_private_json(slot.containers, document)

    def run(self, slot: SlotFolder, wanted: SlotFile) -> None:
        """Let a container per replica run; one that has ended for good, or is another's, makes room for a new one."""
        present = {one.labels.get(_REPLICA): one for one in self._read(slot.group)}
        for number, wish in enumerate(self._wishes(slot, wanted)):
            found = present.get(str(number))
            if found is not None and found.alive and found.labels.get(_WISH) == wanted.digest:
                continue
            if found is not None:
                self._engine.remove(found.id)
            self._engine.run(wish)

    def begin_stopping(self, group: str, stop_seconds: float) -> None:
        """Ask the engine to stop each container, and again only when that came to nothing."""
        self._begin_stopping(self._read(group), stop_seconds)

    def find_running(self, group: str) -> tuple[str, ...]:
        """The names of the containers that run."""
        return self._find_running(self._labels(group))

    def remove(self, slot: SlotFolder) -> None:
        """Remove the group's containers."""
        for one in self._read(slot.group):
            self._engine.remove(one.id)

    def remove_all(self) -> None:
        """End and remove every container of the environment; those that do not end by themselves are killed."""
        mine = {_ENVIRONMENT: self._key}
        self._begin_stopping(self._engine.read_containers(mine), _END_SECONDS)
        wait_until(lambda: not self._find_running(mine), 2 * _END_SECONDS, 0.1)
        for one in self._engine.read_containers(mine):
            self._engine.remove(one.id)

    def report(self, slot: SlotFolder, wanted: SlotFile) -> ReplicaReport:
        """`out_of_memory`: the engine says so, a replica was killed by a SIGKILL that was not ours, or its log says so.

        `throttled`: since the look before, more than a quarter of a replica's scheduling periods ran into its CPU
        limit; None without a limit, and where neither the engine nor the kernel of this machine tells.
        """
        try:
            containers = self._read(slot.group)
            events = self._read_events(containers)
            throttled = self._read_throttled(slot, containers)
        except SwitchoverError as error:
            return ReplicaReport(0, (), out_of_memory=False, throttled=None, sentences=(_silence(error),))
        ends = [event for event in events if event.exit_status is not None]
        killed = any(event.exit_status == _KILLED for event in ends)
        no_memory = bool(ends) and any(tells_of_no_memory(log) for log in slot.logs())
        return ReplicaReport(
            failed=len(wanted.ports) - sum(one.alive for one in containers),
            restart_times=_restart_times(containers, events),
            out_of_memory=killed or no_memory or any(one.out_of_memory for one in containers),
            throttled=throttled,
            sentences=tuple(_describe(containers, ends)),
        )

    def collect_logs(self, slot: SlotFolder) -> None:
        """Bring the lines of all containers into the slot's files; without an engine those stay as they are."""
        try:
            with locked(slot.log_lock):
                for one in self._read(slot.group):
                    log = slot.log(int(one.labels[_REPLICA]))
                    collect_log(self._engine, one, log, slot.log_positions)
        except SwitchoverError:
            return  # the status says that there is no engine

    def _begin_stopping(self, containers: tuple[ContainerState, ...], stop_seconds: float) -> None:
        now = time.monotonic()
        for one in containers:
            if one.alive and now >= self._ask_again.get(one.id, now):
                self._ask_again[one.id] = now + stop_seconds + _AGAIN_SECONDS
                self._engine.begin_stopping(one.id, math.ceil(stop_seconds))

    def _find_running(self, labels: Mapping[str, str]) -> tuple[str, ...]:
        return tuple(one.name for one in self._engine.read_containers(labels) if one.alive or one.stopping)

    def _wishes(self, slot: SlotFolder, wanted: SlotFile) -> Iterator[ContainerWish]:
        document = read_json_or_none(slot.containers)
        secrets = {name: self._environ[name] for name in wanted.secret_variables if name in self._environ}
        for number, published in enumerate(wanted.ports):
            labels = self._labels(slot.group) | {_REPLICA: str(number), _WISH: wanted.digest}
            yield ContainerWish(
                name=f"switchover-{self._key}-{slot.group}-{number}",
                image=document["image"],
                labels=labels,
                environment=document["environments"][number] | secrets,
                port=document["port"],
                published=published,
                memory_limit_mb=document["memory_limit_mb"],
                cpus=document["cpus"],
                read_only=document["read_only"],
                capabilities=tuple(document["capabilities"]),
            )

    def _labels(self, group: str) -> dict[str, str]:
        return {_ENVIRONMENT: self._key, _GROUP: group}

    def _read(self, group: str) -> tuple[ContainerState, ...]:
        return self._engine.read_containers(self._labels(group))

    def _read_events(self, containers: tuple[ContainerState, ...]) -> tuple[ContainerEvent, ...]:
        """Only where something has ended: reading them takes a while."""
        troubled = [one for one in containers if one.restarts or not one.alive]
        return tuple(event for one in troubled for event in self._engine.read_events(one.id, one.created_at))

    def _read_throttled(self, slot: SlotFolder, containers: tuple[ContainerState, ...]) -> bool | None:
        before = read_json_or_none(slot.throttling) or {}
        counts = {one.id: self._engine.read_throttling(one) for one in containers if one.alive and one.cpus}
        known = {id_: _advance(before.get(id_), found) for id_, found in counts.items() if found is not None}
        if known != before:
            write_private_json(slot.throttling, known)
        return any(one["throttled"] for one in known.values()) if known else None


def _advance(before: dict[str, int] | None, found: tuple[int, int]) -> dict[str, int]:
    """Counts and answer of the last look at which enough periods had passed to tell."""
    last = before or {"periods": 0, "hits": 0, "throttled": 0}
    periods, hits = found[0] - last["periods"], found[1] - last["hits"]
    if 0 <= periods < _LEAST_PERIODS:
        return last
    if periods < 0:
        periods, hits = found  # started again
    return {"periods": found[0], "hits": found[1], "throttled": int(hits > _THROTTLED_SHARE * periods)}


def _restart_times(containers: tuple[ContainerState, ...], events: tuple[ContainerEvent, ...]) -> tuple[float, ...]:
    times: list[float] = []
    for one in containers:
        starts = [event.at for event in events if event.container == one.id and event.exit_status is None]
        mine = starts[-one.restarts :] if one.restarts else []
        # The engine counts on when it has forgotten older events.
        times += [one.started_at] * (one.restarts - len(mine)) + mine
    return tuple(sorted(times))


def _describe(containers: tuple[ContainerState, ...], ends: list[ContainerEvent]) -> Iterator[str]:
    for one in containers:
        last = next((end.exit_status for end in reversed(ends) if end.container == one.id), None)
        if last is not None or one.detail:
            past = f"last exited with status {last}" if last is not None else ""
            yield f"{one.name} {', '.join(part for part in (one.detail, past) if part)}"


def _silence(error: SwitchoverError) -> str:
    return f"no container engine: {error.problem.found}"
