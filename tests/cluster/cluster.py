"""The whole cluster: its parts in the order in which they need each other, and each by name afterwards."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from switchover.errors import InputError
from tests.cluster.processes import Child

Start = Callable[[], Child]


@dataclass(slots=True)
class Cluster:
    """A cluster being brought up or running: what there is to start, what runs, and how long each thing took."""

    stages: Sequence[Mapping[str, Start]]
    children: dict[str, Child] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def start_all(self) -> None:
        """Start every part; those of one stage at the same time."""
        for stage in self.stages:
            with ThreadPoolExecutor(max_workers=len(stage)) as pool:
                for started in [pool.submit(self.start, name) for name in stage]:
                    started.result()

    def start(self, name: str) -> None:
        """Start the part of this name and wait until it is ready. One that runs is left as it is."""
        if name not in self.children or not self.children[name].running():
            with self.timed(name):
                self.children[name] = self._part(name)()

    def stop(self, name: str) -> None:
        """Ask the part to end and wait until it has."""
        self._child(name).stop()

    def kill(self, name: str) -> None:
        """End the part as a crash would."""
        self._child(name).kill()

    def restart(self, name: str) -> None:
        """Stop the part and start it again."""
        self.stop(name)
        self.start(name)

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Note how long this took, the first time."""
        began = time.monotonic()
        yield
        self.seconds.setdefault(name, time.monotonic() - began)

    def table(self) -> str:
        """How long each thing took, slowest first."""
        rows = sorted(self.seconds.items(), key=lambda row: -row[1])
        return "\n".join(f"  {name:<28}{taken:6.1f} s" for name, taken in rows)

    def _part(self, name: str) -> Start:
        parts = {part: start for stage in self.stages for part, start in stage.items()}
        if name not in parts:
            raise InputError(
                f"the cluster has no part {name!r}",
                expected=f"one of {', '.join(sorted(parts))}",
                found=name,
                next_step="name one of these",
            )
        return parts[name]

    def _child(self, name: str) -> Child:
        self._part(name)
        return self.children[name]
