"""The namespaces that the whole cluster lives in, and what it sees of the machine.

One mount, network and process namespace holds everything, the command that is run too. When its first process
ends, the kernel ends every other one and drops every mount and interface: nothing of a cluster can outlive it.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

from tests.cluster.addresses import NODE, NODE_LINK, SERVICES
from tests.cluster.command import exit_status
from tests.cluster.processes import run

_MODULE = "tests.cluster.run"
# The kubelet sets these for the whole machine. It only reads them when they already are as it wants them.
_SEEN_BY_THE_KUBELET = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}


def spawn(arguments: Sequence[str]) -> subprocess.Popen[bytes]:
    """Run this package's `run` again as the first process of new namespaces. They end with us, whatever ends us."""
    end_with_parent = ["setpriv", "--pdeathsig", "KILL"]
    unshare = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
    return subprocess.Popen([*end_with_parent, *unshare, sys.executable, "-m", _MODULE, *arguments])


def enter(first_process: int, command: Sequence[str]) -> list[str]:
    """The command that runs a command in the namespaces of a cluster that is up."""
    return ["nsenter", f"--target={first_process}", "--mount", "--net", "--pid", f"--wdns={Path.cwd()}", "--", *command]


def furnish(folder: Path) -> None:
    """Inside: give the namespaces their own interfaces, their own `/run` and a `/var` whose changes are thrown away."""
    run(["ip", "link", "set", "lo", "up"])
    # A bridge without ports stands in for a network card: not every kernel has the dummy kind.
    run(["ip", "link", "add", NODE_LINK, "type", "bridge"])
    run(["ip", "address", "add", f"{NODE}/24", "dev", NODE_LINK])
    run(["ip", "link", "set", NODE_LINK, "up"])
    run(["ip", "route", "add", SERVICES, "dev", NODE_LINK, "src", NODE])
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run"])
    Path("/run/lock").mkdir()
    for place in ("/var/lib", "/var/log"):
        changes, work = (folder / f"{kind}{place.replace('/', '-')}" for kind in ("changes", "work"))
        changes.mkdir()
        work.mkdir()
        run(["mount", "-t", "overlay", "-o", f"lowerdir={place},upperdir={changes},workdir={work}", "overlay", place])
    _pretend(folder / "kernel-settings")


def _pretend(folder: Path) -> None:
    folder.mkdir()
    for name, value in _SEEN_BY_THE_KUBELET.items():
        setting = Path("/proc/sys", name)
        if setting.exists():
            seen = folder / name.replace("/", "-")
            seen.write_text(f"{value}\n")
            run(["mount", "--bind", seen, setting])


def as_first_process(work: Callable[[], int]) -> int:
    """Do the work in a child; pass it the signals that ask to end, and bury every orphan. The work's exit status."""
    worker = os.fork()
    if worker == 0:
        os._exit(_exit_status(work))

    def pass_on(number: int, _frame: FrameType | None) -> None:
        os.kill(worker, number)

    signal.signal(signal.SIGTERM, pass_on)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to the worker as well
    while True:
        buried, status = os.wait()
        if buried == worker:
            return exit_status(os.waitstatus_to_exitcode(status))


def _exit_status(work: Callable[[], int]) -> int:
    try:
        return work()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
