"""The port `Slots` on supervised processes of this machine."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path

from switchover.adapters import replica_runner
from switchover.adapters.artifact_folder import unpack_artifact
from switchover.adapters.environment_folder import EnvironmentFolder
from switchover.adapters.envoy_admin import EnvoyAdmin
from switchover.adapters.envoy_config import cluster_name
from switchover.adapters.envoy_files import EnvoyFiles
from switchover.adapters.http_prober import answers_ok
from switchover.adapters.processes import choose_free_port
from switchover.adapters.replica_events import read_replica_history
from switchover.adapters.replica_logs import count_log_lines, read_log_end, tells_of_no_memory
from switchover.adapters.slot_file import SlotFile, SlotFolder, require_runnable, slot_digest
from switchover.adapters.supervisor_daemon import ProgramState, SupervisorDaemon
from switchover.adapters.waiting import wait_until
from switchover.errors import TargetError
from switchover.model import Colour, Release, SlotStatus, Workload
from switchover.ports import ArtifactStore, Fence

_HOST = "127.0.0.1"
_ACCEPT_SECONDS = 5.0
_HEALTH_SECONDS = 1.0
_RUNNER = Path(replica_runner.__file__)


class SupervisorSlots:
    """Each colour is a group of the supervisor with one program per replica, on free ports of the loopback.

    A replica's environment is what the workload says, `PORT`, `SWITCHOVER_SERVICE`, `_COLOUR`, `_VERSION`,
    `_REPLICA`, and little else of the operator's (`PATH`, `HOME`, locale, `TMPDIR`). Secrets are kept in the
    memory of the supervisor; a changed secret takes effect at the next start of another release or workload.
    """

    def __init__(
        self,
        *,
        folder: EnvironmentFolder,
        daemon: SupervisorDaemon,
        files: EnvoyFiles,
        admin: EnvoyAdmin,
        store: ArtifactStore,
        fence: Fence,
        environ: Mapping[str, str],
    ) -> None:
        self._folder = folder
        self._daemon = daemon
        self._files = files
        self._admin = admin
        self._store = store
        self._fence = fence
        self._environ = environ

    def start(self, release: Release, colour: Colour, workload: Workload, *, epoch: int) -> None:
        """Let `colour` run this release and nothing else; the same one, already wanted, is left running.

        Another one in this colour is stopped first, as `stop` does it. Raises `FencedError`, `InputError` for
        an unknown service or unset secrets, `TargetError` when the artifact or the supervisor is in trouble.
        """
        service = release.service
        self._files.read_service(service)
        slot, digest = self._slot(service, colour), slot_digest(release, workload)
        present = slot.read()
        if present is None or present.digest != digest:
            require_runnable(workload, self._environ)
        unpacked = unpack_artifact(release.artifact, self._store, self._folder.state / "artifacts")
        if (present is None or present.digest != digest) and self._daemon.has_group(cluster_name(service, colour)):
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
                )
                slot.write(wanted)
            slot.write_programs(wanted, release, colour, workload, unpacked)
            self._run(service, colour, wanted)

    def stop(self, service: str, colour: Colour, *, epoch: int) -> None:
        """Let nothing run in `colour`, in the order that loses no request; an empty slot is left as it is.

        The router forgets the addresses; requests in flight get `drain_seconds`; then SIGTERM, and SIGKILL
        5 s after as much time again. The fence is held for each effect, not while waiting. Raises
        `TargetError` when something still runs after that.
        """
        slot, group = self._slot(service, colour), cluster_name(service, colour)
        with self._fence.holding(epoch), self._folder.lock():
            present = slot.read()
            if present is None and not self._daemon.has_group(group):
                return
            self._files.write_endpoints(service, colour, ())
        wait_until(lambda: self._is_idle(group), present.drain_seconds if present else 0.0)

        def ended() -> bool:
            with self._fence.holding(epoch):
                self._daemon.begin_stopping(group)
            return self._daemon.is_stopped(group)

        if not wait_until(ended, present.gone_seconds if present else _ACCEPT_SECONDS, 0.05):
            raise TargetError(
                f"{colour} of {service} did not stop",
                expected="no process of it",
                found=", ".join(f"{one.name} {one.state}" for one in self._daemon.read_programs(group)),
                next_step="repeat; it was sent SIGKILL",
            )
        with self._fence.holding(epoch), self._folder.lock():
            # In this order a process that is killed in between leaves a group that the next start or stop removes.
            slot.forget()
            self._daemon.remove_group(group)

    def restore(self) -> None:
        """Run what should run after the supervisor was started anew, at the same addresses."""
        for service in self._files.read_services():
            for colour in Colour:
                wanted = self._slot(service, colour).read()
                if wanted is not None:
                    self._run(service, colour, wanted)

    def read_status(self, service: str, colour: Colour) -> SlotStatus:
        """What runs now. A replica is ready when it answers its health path with 200 and Envoy would use it.

        `throttled` is None: plain processes are not throttled. `out_of_memory`: over the workload's limit
        (the runner ends it then), killed by a SIGKILL that was not ours, or its log says so after a failure.
        """
        slot = self._slot(service, colour)
        wanted = slot.read()
        if wanted is None:
            return SlotStatus(0, 0)
        history = read_replica_history(slot.events)
        programs, trouble = self._read_programs(cluster_name(service, colour))
        answering = _ask_all(wanted)
        usable, router_trouble = self._read_usable(cluster_name(service, colour))
        ready = frozenset(answering) & usable
        no_memory = any(tells_of_no_memory(slot.log(number)) for number in history.last_exits)
        return SlotStatus(
            wanted_replicas=len(wanted.ports),
            ready_replicas=len(ready),
            failed_replicas=sum(program.failed for program in programs),
            restart_times=history.restart_times,
            out_of_memory=history.out_of_memory or no_memory,
            addresses=wanted.addresses,
            detail="; ".join([*_describe(programs, history.last_exits), *trouble, *router_trouble]),
        )

    def read_log_counts(self, service: str, colour: Colour) -> tuple[int, int]:
        """Lines and error lines of all replicas since this colour was started; (0, 0) for an empty slot."""
        slot = self._slot(service, colour)
        wanted = slot.read()
        return (0, 0) if wanted is None else count_log_lines(slot.logs(), wanted.log_error_pattern, slot.cursors)

    def read_log_tail(self, service: str, colour: Colour, lines: int) -> tuple[str, ...]:
        """The last lines of the replica that wrote last; they stay readable after a stop."""
        return read_log_end(self._slot(service, colour).logs(), lines)

    def _slot(self, service: str, colour: Colour) -> SlotFolder:
        group = cluster_name(service, colour)
        return SlotFolder(self._folder.slot(group), group)

    def _run(self, service: str, colour: Colour, wanted: SlotFile) -> None:
        group = cluster_name(service, colour)
        self._daemon.write_group(group, self._slot(service, colour).programs(wanted, _RUNNER))
        secrets = {name: self._environ[name] for name in wanted.secret_variables if name in self._environ}
        self._daemon.start_group(group, secrets)
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

    def _read_programs(self, group: str) -> tuple[tuple[ProgramState, ...], list[str]]:
        try:
            return self._daemon.read_programs(group), []
        except TargetError as error:
            return (), [f"no supervisor: {error.problem.found}"]

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


def _describe(programs: tuple[ProgramState, ...], last_exits: dict[int, str]) -> list[str]:
    sentences = []
    for number, program in enumerate(programs):
        past = last_exits.get(number)
        if program.failed or past:
            sentences.append(f"replica {number} is {program.state.lower()}, last {past or program.detail}")
    return sentences
