"""supervisord's configuration as text: nothing here reads or writes."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

# A program that ends sooner counts as failed and is started again after 1, 2, 3 … seconds, without an end.
_START_SECONDS = 10
_START_TRIES = 1_000_000
_LOG_BYTES = "10MB"
LOG_BACKUPS = 3


@dataclass(frozen=True, slots=True)
class Program:
    """One process that the supervisor keeps running. `command` must not hold secrets: others can see it."""

    name: str
    command: tuple[str, ...]
    log: Path
    stop_seconds: float


def render_daemon(socket: Path, state: Path, run: Path, open_files: int) -> str:
    """The main file of an environment's supervisor."""
    return f"""\
[unix_http_server]
file={_escape(socket)}
chmod=0600

[supervisord]
logfile={_escape(state / "supervisord.log")}
logfile_maxbytes={_LOG_BYTES}
logfile_backups={LOG_BACKUPS}
pidfile={_escape(run / "s.pid")}
directory={_escape(state)}
childlogdir={_escape(state)}
minfds={open_files}
nocleanup=true

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[rpcinterface:switchover]
supervisor.rpcinterface_factory=switchover.adapters.supervisor_secrets:make_interface

[include]
files=programs/*.conf
"""


def render_group(name: str, programs: tuple[Program, ...], *, first: bool = False) -> str:
    """One group of programs. `first`: started with the daemon, before and ended after all other groups."""
    names = ",".join(program.name for program in programs)
    head = f"[group:{name}]\nprograms={names}\npriority={1 if first else 900}\n"
    return head + "".join(_render_program(program, autostart=first) for program in programs)


def _render_program(program: Program, *, autostart: bool) -> str:
    return f"""
[program:{program.name}]
command={_escape(shlex.join(program.command))}
autostart={str(autostart).lower()}
autorestart=true
startsecs={_START_SECONDS}
startretries={_START_TRIES}
stopwaitsecs={round(program.stop_seconds)}
killasgroup=true
redirect_stderr=true
stdout_logfile={_escape(program.log)}
stdout_logfile_maxbytes={_LOG_BYTES}
stdout_logfile_backups={LOG_BACKUPS}
"""


def _escape(text: object) -> str:
    return str(text).replace("%", "%%")
