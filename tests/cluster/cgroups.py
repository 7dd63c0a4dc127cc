"""The control group below which all pods of one cluster are, in cgroup v1 and v2."""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")
_TRIES = 50
_CPUSET = ("cpuset.cpus", "cpuset.mems")


def make(name: str) -> None:
    """Make the group in every hierarchy, with the processors and the memory of the whole machine."""
    for hierarchy in _hierarchies():
        _delegate(hierarchy)
        group = hierarchy / name
        group.mkdir(exist_ok=True)
        for setting in _CPUSET:
            # In v1 a group without processors takes no process.
            if (hierarchy / setting).exists() and (group / setting).exists():
                (group / setting).write_text((hierarchy / setting).read_text())


def remove(name: str) -> list[Path]:
    """Remove the group and all below it, whose processes have ended. Those that could not be removed."""
    for _ in range(_TRIES):
        for group in [group for hierarchy in _hierarchies() for group in _below(hierarchy / name)]:
            with contextlib.suppress(OSError):
                group.rmdir()
        left = [hierarchy / name for hierarchy in _hierarchies() if (hierarchy / name).exists()]
        if not left:
            return []
        time.sleep(0.1)
    return left


def _hierarchies() -> list[Path]:
    if (_ROOT / "cgroup.controllers").exists():
        return [_ROOT]
    return [path for path in sorted(_ROOT.iterdir()) if path.is_dir() and not path.is_symlink()]


def _delegate(hierarchy: Path) -> None:
    controllers = hierarchy / "cgroup.controllers"
    if controllers.exists():
        wanted = " ".join(f"+{one}" for one in controllers.read_text().split())
        with contextlib.suppress(OSError):
            (hierarchy / "cgroup.subtree_control").write_text(wanted)


def _below(group: Path) -> Iterator[Path]:
    for folder, _, _ in os.walk(group, topdown=False):
        yield Path(folder)
