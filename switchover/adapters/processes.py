"""Processes of this machine, by id."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable

import psutil

from switchover.adapters.environment_folder import MARK
from switchover.errors import InputError

_TERM_SECONDS = 5.0


def find_marked(key: str) -> tuple[int, ...]:
    """The ids of the living processes that carry an environment's mark, ascending."""
    found = []
    for process in psutil.process_iter():
        try:
            marked = process.environ().get(MARK) == key and process.status() != psutil.STATUS_ZOMBIE
        except (psutil.Error, OSError):
            continue  # not ours to read, or gone meanwhile
        if marked:
            found.append(process.pid)
    return tuple(sorted(found))


def end_processes(pids: Iterable[int]) -> None:
    """SIGTERM to each, and SIGKILL to whatever is left after 5 s."""
    processes = []
    for pid in pids:
        try:
            process = psutil.Process(pid)
            process.terminate()
        except psutil.NoSuchProcess:
            continue
        processes.append(process)
    _, alive = psutil.wait_procs(processes, timeout=_TERM_SECONDS)
    for process in alive:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(alive, timeout=_TERM_SECONDS)


def require_free_port(host: str, port: int, purpose: str) -> None:
    """Raise `InputError` that names the port, and its holder where the system tells, unless it can be bound."""
    try:
        _bind(host, port)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        raise InputError(
            f"cannot listen on {host}:{port} for {purpose}",
            expected="a free port of this machine",
            found=f"taken by {_find_holder(port)}" if taken else (error.strerror or str(error)),
            next_step="end that program, or set another port in switchover.toml" if taken else "set another address",
        ) from None


def choose_free_port(host: str) -> int:
    """A port that the system says is free now."""
    return _bind(host, 0)


def _bind(host: str, port: int) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
        # Two sockets may bind one port with SO_REUSEADDR; only one of them may listen.
        probe.listen(1)
        bound: int = probe.getsockname()[1]
        return bound


def _find_holder(port: int) -> str:
    try:
        holders = [
            connection.pid
            for connection in psutil.net_connections("tcp")
            if connection.status == psutil.CONN_LISTEN and connection.laddr[1:2] == (port,) and connection.pid
        ]
        return f"process {holders[0]} ({psutil.Process(holders[0]).name()})" if holders else "another program"
    except (psutil.Error, OSError):
        return "another program"
