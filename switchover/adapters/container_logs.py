"""The logs of containers, brought into the slot's own files: there they outlive the container."""

from __future__ import annotations

from pathlib import Path

from switchover.adapters.container_engine import ContainerEngine
from switchover.adapters.container_values import ContainerState
from switchover.adapters.private_files import read_json_or_none, write_private_json

_MOST_BYTES = 10 * 1024 * 1024


def collect_log(engine: ContainerEngine, container: ContainerState, log: Path, positions: Path) -> None:
    """Append to `log` what the container has logged since the last time; call it with the files locked.

    `positions` keeps per container the second of its last line and how many lines of that second are in `log`:
    an engine can be asked for lines since a second, and some tell no more of a line's time than that.
    """
    known = read_json_or_none(positions) or {}
    second, seen = known.get(container.id, (0, 0))
    lines = engine.read_log(container.id, second)
    fresh = lines[seen:]
    if not fresh:
        return
    last = max(second, *(at for at, _ in fresh))
    if log.exists() and log.stat().st_size > _MOST_BYTES:
        log.replace(log.with_name(f"{log.name}.1"))
    with log.open("ab") as file:
        file.writelines(line + b"\n" for _, line in fresh)
    known[container.id] = (last, sum(at >= last for at, _ in lines))
    write_private_json(positions, known)
