"""How often the kernel held a container back at its CPU limit, for engines on this machine that do not tell."""

from __future__ import annotations

from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")


def read_cpu_periods(pid: int, container: str) -> tuple[int, int] | None:
    """Scheduling periods of the container whose first process is `pid`, and in how many of them it was held back.

    None when that process is not one of this container here: the engine is on another machine, or it has ended.
    """
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8").splitlines()
        for line in lines:
            _, controllers, path = line.split(":", 2)
            # An engine may put the process into a group below the one that has the limit.
            place = _ROOT / ("cpu" if "cpu" in controllers.split(",") else "") / path.lstrip("/")
            found = next((each for each in (place, *place.parents) if each.name.find(container) >= 0), None)
            counts = _read_counts(found / "cpu.stat") if found else {}
            if counts.get("nr_periods"):
                return counts["nr_periods"], counts["nr_throttled"]
    except (OSError, ValueError):
        return None
    return None


def _read_counts(file: Path) -> dict[str, int]:
    if not file.is_file():
        return {}
    pairs = (line.split() for line in file.read_text(encoding="utf-8").splitlines())
    return {name: int(value) for name, value in pairs}
