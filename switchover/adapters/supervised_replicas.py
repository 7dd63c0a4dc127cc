"""Replicas as processes of this machine, under supervisord."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from switchover.adapters import replica_runner
from switchover.adapters.artifact_folder import unpack_artifact
from switchover.adapters.replica_events import read_replica_history
from switchover.adapters.replica_logs import tells_of_no_memory
from switchover.adapters.replicas import ReplicaReport
from switchover.adapters.slot_file import SlotFile, SlotFolder
from switchover.adapters.supervisor_daemon import ProgramState, SupervisorDaemon
from switchover.errors import TargetError
from switchover.model import Colour, Release, Workload
from switchover.ports import ArtifactStore

_RUNNER = Path(replica_runner.__file__)


class SupervisedReplicas:
    """Each group is one of the supervisor's, with one program per replica.

    A replica's environment is what the workload says, `PORT`, `SWITCHOVER_SERVICE`, `_COLOUR`, `_VERSION`,
    `_REPLICA`, and little else of the operator's (`PATH`, `HOME`, locale, `TMPDIR`). Secrets are kept in the
    memory of the supervisor; a changed secret takes effect at the next start of another release or workload.
    """

    def __init__(
        self, daemon: SupervisorDaemon, store: ArtifactStore, artifacts: Path, environ: Mapping[str, str]
    ) -> None:
        self._daemon = daemon
        self._store = store
        self._artifacts = artifacts
        self._environ = environ

    def prepare(self, release: Release, workload: Workload) -> str:  # noqa: ARG002 other kinds need it
        """Unpack the artifact anew: a release that ran before may have changed what was unpacked for it."""
        return str(unpack_artifact(release.artifact, self._store, self._artifacts))

    def exists(self, group: str) -> bool:
        """Whether the supervisor is configured with the group."""
        return self._daemon.has_group(group)

    def write(
        self, slot: SlotFolder, wanted: SlotFile, release: Release, colour: Colour, workload: Workload, prepared: str
    ) -> None:
        """Write what each replica's runner reads; the files become the slot's, unless this life of it has them."""
        slot.take_files(Path(prepared))
        slot.write_programs(wanted, release, colour, workload)

    def run(self, slot: SlotFolder, wanted: SlotFile) -> None:
        """Let every program of the group run."""
        self._daemon.write_group(slot.group, slot.programs(wanted, _RUNNER))
        secrets = {name: self._environ[name] for name in wanted.secret_variables if name in self._environ}
        self._daemon.start_group(slot.group, secrets)

    def begin_stopping(self, group: str, stop_seconds: float) -> None:  # noqa: ARG002 the runners know it
        """Send SIGTERM; each replica's runner sends SIGKILL when it is time."""
        self._daemon.begin_stopping(group)

    def find_running(self, group: str) -> tuple[str, ...]:
        """Name and state of each program that runs."""
        if self._daemon.is_stopped(group):
            return ()
        return tuple(f"{one.name} {one.state}" for one in self._daemon.read_programs(group))

    def remove(self, slot: SlotFolder) -> None:
        """Take the group out of the supervisor."""
        self._daemon.remove_group(slot.group)

    def report(self, slot: SlotFolder, wanted: SlotFile) -> ReplicaReport:  # noqa: ARG002 other kinds need it
        """What the supervisor and the runners know. `throttled` is None: plain processes are not throttled.

        `out_of_memory`: over the workload's limit (the runner ends it then), killed by a SIGKILL that was not
        ours, or its log says so after a failure.
        """
        history = read_replica_history(slot.events)
        programs, trouble = self._read_programs(slot.group)
        no_memory = any(tells_of_no_memory(slot.log(number)) for number in history.last_exits)
        return ReplicaReport(
            failed=sum(program.failed for program in programs),
            restart_times=history.restart_times,
            out_of_memory=history.out_of_memory or no_memory,
            throttled=None,
            sentences=(*_describe(programs, history.last_exits), *trouble),
        )

    def collect_logs(self, slot: SlotFolder) -> None:
        """Nothing to do: the supervisor writes them there."""

    def _read_programs(self, group: str) -> tuple[tuple[ProgramState, ...], list[str]]:
        try:
            return self._daemon.read_programs(group), []
        except TargetError as error:
            return (), [f"no supervisor: {error.problem.found}"]


def _describe(programs: tuple[ProgramState, ...], last_exits: dict[int, str]) -> list[str]:
    sentences = []
    for number, program in enumerate(programs):
        past = last_exits.get(number)
        if program.failed or past:
            sentences.append(f"replica {number} is {program.state.lower()}, last {past or program.detail}")
    return sentences
