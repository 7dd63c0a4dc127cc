"""Whether this machine lets us make a cluster."""

import os
import shutil
import sys
from pathlib import Path

from switchover.errors import MissingProgramError

_TOOLS = ("ip", "mount", "nsenter", "setpriv", "unshare")


def check() -> None:
    """Raise `MissingProgramError` with the reason where no cluster can be made, whatever is built or downloaded."""
    for holds, expected, found, next_step in (
        (sys.platform == "linux", "Linux", sys.platform, "run this on a Linux machine"),
        (os.geteuid() == 0, "root, for namespaces, control groups and mounts", f"user {os.geteuid()}", "use sudo"),
        (Path("/sys/fs/cgroup").is_dir(), "control groups at /sys/fs/cgroup", "none", "mount them"),
        (not _missing(), "iproute2 and util-linux", f"no {', '.join(_missing())}", "install them"),
    ):
        if not holds:
            raise MissingProgramError(
                "no cluster can be made here",
                expected=expected,
                found=found,
                next_step=f"{next_step}, or set SWITCHOVER_TEST_KUBECONFIG",
            )


def _missing() -> list[str]:
    return [name for name in _TOOLS if not shutil.which(name)]
