"""One supervisord per environment, spoken to over a private unix socket."""

from __future__ import annotations

import http.client
import resource
import subprocess
import sys
import xmlrpc.client
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import switchover
from switchover.adapters.environment_folder import MARK, EnvironmentFolder
from switchover.adapters.private_files import read_or_none, write_private
from switchover.adapters.processes import end_processes, find_marked
from switchover.adapters.supervisor_config import Program, render_daemon, render_group
from switchover.adapters.unix_http import UnixHTTPConnection
from switchover.adapters.waiting import wait_until
from switchover.errors import MissingProgramError, TargetError

_CALL_SECONDS = 10.0
_START_SECONDS = 20.0
_SHUT_DOWN_SECONDS = 30.0
_OPEN_FILES = 8192
_BAD_NAME, _NOT_RUNNING, _ALREADY_STARTED, _ALREADY_ADDED = 10, 70, 60, 90
# What the daemon, Envoy and the watchdog need of the operator's environment; nothing else stays in their memory.
_PASSED_ON = (
    *("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "XDG_RUNTIME_DIR"),
    *("LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR"),
    *("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
    *("DOCKER_HOST", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"),
)
# A program that has EXITED is about to be started again; only these stay as they are.
_STOPPED_STATES = frozenset({"STOPPED", "FATAL", "UNKNOWN"})


@dataclass(frozen=True, slots=True)
class ProgramState:
    """What the supervisor says of one program: `state` in its own words, `detail` the last trouble."""

    name: str
    state: str
    pid: int
    detail: str

    @property
    def failed(self) -> bool:
        """Whether it ended though it should run."""
        return self.state in {"BACKOFF", "EXITED", "FATAL", "UNKNOWN"}


class _AbsentError(TargetError):
    """Nobody listens on the daemon's socket: it does not run."""


class _UnixTransport(xmlrpc.client.Transport):
    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: Any) -> UnixHTTPConnection:  # noqa: ARG002 - the library's signature
        return UnixHTTPConnection(self._path, _CALL_SECONDS)


class SupervisorDaemon:
    """Starts, asks and ends the supervisor. Callers hold the environment's locks where they change things.

    `passed_on` names the variables of `environ` that the first group needs beside the usual ones.
    """

    def __init__(self, folder: EnvironmentFolder, environ: Mapping[str, str], passed_on: tuple[str, ...] = ()) -> None:
        self._folder = folder
        self._environ = environ
        self._passed_on = (*_PASSED_ON, *passed_on)

    def is_running(self) -> bool:
        """Whether the daemon runs. Raises `TargetError` when it does and stays silent: it is not to be replaced."""
        try:
            self._call("supervisor.getState")
        except _AbsentError:
            return False
        return True

    def require_installed(self) -> None:
        """Raise `MissingProgramError` unless supervisord can be started."""
        if find_spec("supervisor") is None:
            raise MissingProgramError(
                "supervisord is not installed",
                expected="the Python package supervisor (4.3 or newer)",
                found=f"none for {sys.executable}",
                next_step="pip install 'switchover[local]'",
            )

    def start(self) -> None:
        """Start the daemon with its first group; it outlives this process. Raises `TargetError`."""
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        open_files = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
        self._folder.make_run_folder()
        configuration = self._folder.state / "supervisord.conf"
        text = render_daemon(self._folder.supervisor_socket, self._folder.state, self._folder.run, open_files)
        write_private(configuration, text)
        package_folder = str(Path(switchover.__file__).parent.parent)
        environment = {name: self._environ[name] for name in self._passed_on if name in self._environ}
        environment |= {MARK: self._folder.key, "PYTHONPATH": package_folder}
        command = [sys.executable, "-m", "supervisor.supervisord", "-c", str(configuration)]
        # It goes into the background by itself; what it says before that tells of a broken configuration.
        started = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if started.returncode or not wait_until(self.is_running, _START_SECONDS):
            raise TargetError(
                "the supervisor of the environment did not start",
                expected=f"supervisord answering within {_START_SECONDS:.0f} s",
                found=(started.stdout + started.stderr).strip()[-300:] or "silence",
                next_step=f"look at {self._folder.state / 'supervisord.log'}, then repeat",
            )

    def shut_down(self) -> None:
        """End the daemon and every process of the environment; nothing is left. Repeating is a no-op."""
        try:
            self._call("supervisor.shutdown")
        except TargetError:
            pass  # it does not run; what it left behind is ended below
        else:
            wait_until(lambda: not find_marked(self._folder.key), _SHUT_DOWN_SECONDS, 0.05)
        end_processes(find_marked(self._folder.key))
        self._folder.remove_run_folder()

    def write_group(self, name: str, programs: tuple[Program, ...], *, first: bool = False) -> bool:
        """Write a group's configuration; return whether it changed."""
        return write_private(self._file(name), render_group(name, programs, first=first))

    def has_group(self, name: str) -> bool:
        """Whether a group's configuration is written."""
        return read_or_none(self._file(name)) is not None

    def start_group(self, name: str, variables: Mapping[str, str]) -> None:
        """Let every program of a written group run, with secret `variables` in its environment. Does not wait."""
        self._call("supervisor.reloadConfig")
        self._call("supervisor.addProcessGroup", name, unless=_ALREADY_ADDED)
        if variables:
            self._call("switchover.setSecrets", name, dict(variables))
        for program in self.read_programs(name):
            if program.state in _STOPPED_STATES:
                self._call("supervisor.startProcess", f"{name}:{program.name}", False, unless=_ALREADY_STARTED)  # noqa: FBT003

    def begin_stopping(self, name: str) -> None:
        """Send SIGTERM to every program of a group. Does not wait."""
        for program in self.read_programs(name):
            if program.state not in _STOPPED_STATES:
                self._call("supervisor.stopProcess", f"{name}:{program.name}", False, unless=_NOT_RUNNING)  # noqa: FBT003

    def is_stopped(self, name: str) -> bool:
        """Whether no program of a group runs."""
        return all(program.state in _STOPPED_STATES for program in self.read_programs(name))

    def remove_group(self, name: str) -> None:
        """Forget a stopped group. Raises `TargetError` while one of its programs runs."""
        self._call("supervisor.removeProcessGroup", name, unless=_BAD_NAME)
        self._file(name).unlink(missing_ok=True)

    def read_programs(self, group: str) -> tuple[ProgramState, ...]:
        """The programs of a group, by name; none when the daemon knows no such group."""
        return tuple(
            ProgramState(found["name"], found["statename"], found["pid"], found["spawnerr"])
            for found in self._call("supervisor.getAllProcessInfo")
            if found["group"] == group
        )

    def _file(self, group: str) -> Path:
        return self._folder.programs / f"{group}.conf"

    def _call(self, method: str, *arguments: object, unless: int | None = None) -> Any:
        transport = _UnixTransport(str(self._folder.supervisor_socket))
        try:
            with xmlrpc.client.ServerProxy("http://localhost", transport, allow_none=True) as server:
                return getattr(server, method)(*arguments)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode == unless:
                return None
            raise self._refusal(f"{method}: {fault.faultString}") from fault
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise _AbsentError(
                "the supervisor of the environment does not run",
                expected="supervisord listening on its socket",
                found=error.strerror or str(error),
                next_step="`switchover start` starts it, and everything that should run under it",
            ) from error
        except (OSError, xmlrpc.client.Error, http.client.HTTPException) as error:
            raise self._silence(str(error) or type(error).__name__) from error

    def _refusal(self, found: str) -> TargetError:
        return TargetError(
            "the supervisor of the environment refused",
            expected="supervisord doing what it is asked",
            found=found,
            next_step=f"repeat; if it stays so, look at {self._folder.state / 'supervisord.log'}",
        )

    def _silence(self, found: str) -> TargetError:
        pid = (read_or_none(self._folder.run / "s.pid") or "").strip()
        return TargetError(
            "the supervisor of the environment does not answer",
            expected=f"supervisord answering within {_CALL_SECONDS:.0f} s",
            found=f"{found}; it is process {pid}" if pid else found,
            next_step=(
                f"let it go on with `kill -CONT {pid or '<its id>'}` and repeat; if that does not help,"
                " `switchover stop` and `switchover start` replace it, with an outage"
            ),
        )
