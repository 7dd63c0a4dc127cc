"""Where one environment of the target `local` keeps its files and its sockets.

The state folder (0700) is given by the operator and survives a reboot. Unix sockets have paths of at most
about 100 characters, so they live in a short private run folder; which one is written down in the state
folder, so that processes with another `XDG_RUNTIME_DIR` or `TMPDIR` find the same daemon.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from switchover.adapters.private_files import ensure_private_folder, locked, read_or_none, write_private

MARK = "SWITCHOVER_ENVIRONMENT"
"""The environment variable that marks every process of an environment with `EnvironmentFolder.key`."""


@dataclass(frozen=True, slots=True)
class EnvironmentFolder:
    """The paths of one environment. Build it with `open_environment_folder`."""

    state: Path
    run: Path
    key: str

    @property
    def supervisor_socket(self) -> Path:
        """Where supervisord listens."""
        return self.run / "s.sock"

    @property
    def admin_socket(self) -> Path:
        """Where Envoy's administration listens."""
        return self.run / "a.sock"

    def probe_socket(self, service: str) -> Path:
        """Where the probe listener of a service listens."""
        return self.run / f"p-{hashlib.sha256(service.encode()).hexdigest()[:8]}"

    @property
    def envoy(self) -> Path:
        """Envoy's configuration files."""
        return self.state / "envoy"

    @property
    def envoy_log(self) -> Path:
        """What Envoy writes on its standard output and error."""
        return self.state / "envoy.log"

    @property
    def programs(self) -> Path:
        """The supervisor's configuration, one file per group of programs."""
        return self.state / "programs"

    def make_run_folder(self) -> None:
        """Make the place for the sockets. Raises `TargetError` when somebody else has made it before."""
        ensure_private_folder(self.run.parent)
        ensure_private_folder(self.run)

    def remove_run_folder(self) -> None:
        """Remove the sockets of processes that have ended."""
        shutil.rmtree(self.run, ignore_errors=True)

    def slot(self, group: str) -> Path:
        """What belongs to one colour of one service."""
        return self.state / "slots" / group

    def lock(self) -> AbstractContextManager[None]:
        """Keep every other process from changing files here. Held for milliseconds, not across a wait."""
        return locked(self.state / "files.lock")

    def lock_start(self) -> AbstractContextManager[None]:
        """Keep every other process from starting or ending the daemon meanwhile."""
        return locked(self.state / "start.lock")


def open_environment_folder(state: Path, environ: Mapping[str, str] = os.environ) -> EnvironmentFolder:
    """Make or find the environment that keeps its state in `state`.

    Raises `TargetError` when that folder is not private to this user.
    """
    state = state.absolute()
    ensure_private_folder(state)
    for name in ("envoy", "programs", "slots", "artifacts"):
        ensure_private_folder(state / name)
    key = hashlib.sha256(str(state.resolve()).encode()).hexdigest()[:12]
    with locked(state / "files.lock"):
        run = _run_folder(state, key, environ)
    return EnvironmentFolder(state, run, key)


def _run_folder(state: Path, key: str, environ: Mapping[str, str]) -> Path:
    noted = read_or_none(state / "run-folder")
    if noted is not None and Path(noted.strip()).parent.parent.is_dir():
        return Path(noted.strip())
    # Nothing noted, or its place is gone for good: a session's runtime folder ends with the session.
    place = Path(environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir())
    run = (place if place.is_dir() else Path(tempfile.gettempdir())) / f"sw-{os.getuid()}" / key
    write_private(state / "run-folder", f"{run}\n")
    return run
