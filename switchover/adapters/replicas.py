"""What the two ways to run a slot's replicas have in common: as processes or as containers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from switchover.adapters.slot_file import SlotFile, SlotFolder
from switchover.model import Colour, Release, Workload


@dataclass(frozen=True, slots=True)
class ReplicaReport:
    """What is known of a slot's replicas beside whether they answer; the fields are those of `SlotStatus`."""

    failed: int
    restart_times: tuple[float, ...]
    out_of_memory: bool
    throttled: bool | None
    sentences: tuple[str, ...]


class Replicas(Protocol):
    """Runs the replicas of slots. `group` is `<service>-<colour>`."""

    def prepare(self, release: Release, workload: Workload) -> str:
        """Bring the release onto this machine and return where it is. Slow, repeatable, changes no slot."""

    def exists(self, group: str) -> bool:
        """Whether anything of the group is left, running or not."""

    def write(
        self, slot: SlotFolder, wanted: SlotFile, release: Release, colour: Colour, workload: Workload, prepared: str
    ) -> None:
        """Write down what `run` needs of a release, `prepared` by `prepare`. There are no secrets in it."""

    def run(self, slot: SlotFolder, wanted: SlotFile) -> None:
        """Let what is written down run, and leave running what does. Does not wait."""

    def begin_stopping(self, group: str, stop_seconds: float) -> None:
        """Send SIGTERM to what runs, and see to SIGKILL after `stop_seconds`. Does not wait; repeatable."""

    def find_running(self, group: str) -> tuple[str, ...]:
        """What of the group still runs, a few words for each."""

    def remove(self, slot: SlotFolder) -> None:
        """Forget a stopped group; its logs stay."""

    def report(self, slot: SlotFolder, wanted: SlotFile) -> ReplicaReport:
        """What is known of the replicas now. Says in `sentences` what could not be found out."""

    def collect_logs(self, slot: SlotFolder) -> None:
        """Bring what was logged up to now into the slot's log files."""
