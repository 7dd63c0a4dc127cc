"""The port `Slots` on this machine: a colour's replicas are supervised processes or containers."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from itertools import product

from switchover.adapters.environment_folder import EnvironmentFolder
from switchover.adapters.envoy_admin import EnvoyAdmin
from switchover.adapters.envoy_config import cluster_name
from switchover.adapters.envoy_files import EnvoyFiles
from switchover.adapters.http_prober import answers_ok
from switchover.adapters.processes import choose_free_port
from switchover.adapters.replica_logs import count_log_lines, read_log_end
from switchover.adapters.replicas import Replicas
from switchover.adapters.slot_file import Kind, SlotFile, SlotFolder, require_runnable, slot_digest
from switchover.adapters.waiting import wait_until
from switchover.errors import SwitchoverError, TargetError
from switchover.model import Colour, Release, SlotStatus, Workload
from switchover.ports import Fence

_HOST = "127.0.0.1"
_ACCEPT_SECONDS = 5.0
_HEALTH_SECONDS = 1.0


class LocalSlots:
    """Each colour has one replica per free port of the loopback; how it runs is up to its kind of `Replicas`."""

    def __init__(
        self,
        *,
        folder: EnvironmentFolder,
        replicas: Mapping[Kind, Replicas],
        files: EnvoyFiles,
        admin: EnvoyAdmin,
        fence: Fence,
        environ: Mapping[str, str],
    ) -> None:
        self._folder = folder
        self._replicas = replicas
        self._files = files
        self._admin = admin
        self._fence = fence
        self._environ = environ

    def start(self, release: Release, colour: Colour, workload: Workload, *, epoch: int) -> None:
        """Let `colour` run this release and nothing else; the same one, already wanted, is left running.

        Another one in this colour is stopped first, as `stop` does it. Raises `FencedError`, `InputError` for
        an unknown service or unset secrets, `MissingProgramError` for a container without an engine,
        `TargetError` when the artifact, the supervisor or the engine is in trouble.
        """
        service = release.service
        self._files.read_service(service)
        slot, digest = self._slot(service, colour), slot_digest(release, workload)
        kind = Kind.PROCESSES if workload.container is None else Kind.CONTAINERS
        replicas = self._replicas[kind]
        present = slot.read()
        if present is None or present.digest != digest:
            require_runnable(workload, self._environ)
        prepared = replicas.prepare(release, workload)
        if (present is None or present.digest != digest) and self._replicas[slot.read_kind()].exists(slot.group):
            self.stop(service, colour, epoch=epoch)
        with self._fence.holding(epoch), self._folder.lock():
            self._files.write_colour(service, colour, workload.health_path, workload.latency_budget_ms)
        self._wait_for_health_path(service, colour, workload.health_path)
        with self._fence.holding(epoch), self._folder.lock():
            wanted = slot.read()
            if wanted is None or wanted.digest != digest:
                ports = tuple(choose_free_port(_HOST) for _ in range(workload.replicas))
                wanted = SlotFile(
                    digest,
                    ports,
                    release.version,
                    workload.health_path,
                    workload.drain_seconds,
                    workload.log_error_pattern,
                    workload.secret_variables,
                    kind,
                )
                slot.write(wanted)
            replicas.write(slot, wanted, release, colour, workload, prepared)
            self._run(service, colour, wanted)

    def stop(self, service: str, colour: Colour, *, epoch: int) -> None:
        """Let nothing run in `colour`, in the order that loses no request; an empty slot is left as it is.

        The router forgets the addresses; requests in flight get `drain_seconds`; then SIGTERM, and SIGKILL
        5 s after as much time again. The fence is held for each effect, not while waiting. Raises
        `TargetError` when something still runs after that.
        """
        slot = self._slot(service, colour)
        replicas = self._replicas[slot.read_kind()]
        with self._fence.holding(epoch), self._folder.lock():
            present = slot.read()
            if present is None and not replicas.exists(slot.group):
                return
            self._files.write_endpoints(service, colour, ())
        wait_until(lambda: self._is_idle(slot.group), present.drain_seconds if present else 0.0)

        def ended() -> bool:
            if not replicas.find_running(slot.group):
                return True
            with self._fence.holding(epoch):
                replicas.begin_stopping(slot.group, present.stop_seconds if present else 0.0)
            return not replicas.find_running(slot.group)

        if not wait_until(ended, present.gone_seconds if present else _ACCEPT_SECONDS, 0.05):
            raise TargetError(
                f"{colour} of {service} did not stop",
                expected="no process of it",
                found=", ".join(replicas.find_running(slot.group)),
                next_step="repeat; it was sent SIGKILL",
            )
        replicas.collect_logs(slot)
        with self._fence.holding(epoch), self._folder.lock():
            # In this order a process that is killed in between leaves a group that the next start or stop removes.
            slot.forget()
            replicas.remove(slot)

    def hold_size(self, service: str, colour: Colour, *, epoch: int) -> None:
        """Nothing: no autoscaler is here, a colour keeps the size that it was started with."""

    def free_size(self, service: str, colour: Colour, workload: Workload | None, *, epoch: int) -> None:
        """Nothing, for the same reason."""

    def restore(self) -> None:
        """Run what should run after the supervisor was started anew, at the same addresses.

        One colour's trouble keeps no other from running; it is raised at the end.
        """
        trouble: SwitchoverError | None = None
        for service, colour in product(self._files.read_services(), Colour):
            wanted = self._slot(service, colour).read()
            if wanted is not None:
                try:
                    self._run(service, colour, wanted)
                except SwitchoverError as error:
                    trouble = error
        if trouble is not None:
            raise trouble

    def read_status(self, service: str, colour: Colour) -> SlotStatus:
        """What runs now. A replica is ready when it answers its health path with 200 and Envoy would use it."""
        slot = self._slot(service, colour)
        wanted = slot.read()
        if wanted is None:
            return SlotStatus(0, 0)
        report = self._replicas[wanted.kind].report(slot, wanted)
        answering = _ask_all(wanted)
        usable, router_trouble = self._read_usable(slot.group)
        return SlotStatus(
            wanted_replicas=len(wanted.ports),
            ready_replicas=len(frozenset(answering) & usable),
            failed_replicas=report.failed,
            restart_times=report.restart_times,
            out_of_memory=report.out_of_memory,
            throttled=report.throttled,
            addresses=wanted.addresses,
            detail="; ".join([*report.sentences, *router_trouble]),
        )

    def read_log_counts(self, service: str, colour: Colour) -> tuple[int, int]:
        """Lines and error lines of all replicas since this colour was started; (0, 0) for an empty slot."""
        slot = self._slot(service, colour)
        wanted = slot.read()
        if wanted is None:
            return (0, 0)
        self._replicas[wanted.kind].collect_logs(slot)
        return count_log_lines(slot.logs(), wanted.log_error_pattern, slot.cursors)

    def read_log_tail(self, service: str, colour: Colour, lines: int) -> tuple[str, ...]:
        """The last lines of the replica that wrote last; they stay readable after a stop."""
        slot = self._slot(service, colour)
        wanted = slot.read()
        if wanted is not None:
            self._replicas[wanted.kind].collect_logs(slot)
        return read_log_end(slot.logs(), lines)

    def find_kinds(self) -> frozenset[Kind]:
        """The kinds of replicas that this environment has or had last in one of its slots."""
        slots = [self._slot(service, colour) for service in self._files.read_services() for colour in Colour]
        return frozenset(slot.read_kind() for slot in slots)

    def _slot(self, service: str, colour: Colour) -> SlotFolder:
        group = cluster_name(service, colour)
        return SlotFolder(self._folder.slot(group), group)

    def _run(self, service: str, colour: Colour, wanted: SlotFile) -> None:
        self._replicas[wanted.kind].run(self._slot(service, colour), wanted)
        self._files.write_endpoints(service, colour, wanted.addresses)

    def _wait_for_health_path(self, service: str, colour: Colour, path: str) -> None:
        cluster = cluster_name(service, colour)
        if not wait_until(lambda: self._admin.read_health_check_path(cluster) == path, _ACCEPT_SECONDS):
            raise TargetError(
                f"Envoy did not take over the health path of {colour} of {service}",
                expected=path,
                found=str(self._admin.read_health_check_path(cluster)),
                next_step="look at envoy.log in the environment's state folder, then repeat",
            )

    def _is_idle(self, cluster: str) -> bool:
        name = f"cluster.{cluster}.upstream_rq_active"
        try:
            return self._admin.read_numbers(f"^{name}$").get(name, 0) == 0
        except TargetError:
            return True  # no router, no requests

    def _read_usable(self, cluster: str) -> tuple[frozenset[str], list[str]]:
        try:
            return self._admin.read_healthy_addresses(cluster), []
        except TargetError as error:
            return frozenset(), [f"no router: {error.problem.found}"]


def _ask_all(wanted: SlotFile) -> list[str]:
    answering: list[str] = []

    def ask(address: str) -> None:
        if answers_ok(address, wanted.health_path, _HEALTH_SECONDS):
            answering.append(address)

    # One hanging replica must not add its timeout to that of the next.
    threads = [threading.Thread(target=ask, args=(address,)) for address in wanted.addresses]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answering
