"""The port `Migrator` on this machine: the command runs in the release's own unpacked files."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil

from switchover.adapters.artifact_folder import unpack_artifact
from switchover.adapters.private_files import (
    ensure_private_folder,
    read_json_or_none,
    read_or_none,
    write_private,
    write_private_json,
)
from switchover.adapters.waiting import wait_until
from switchover.errors import UnhealthyError
from switchover.model import Migration
from switchover.ports import ArtifactStore, Fence

# The same few variables of the operator's that a replica gets.
_PASSED_ON = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "SSL_CERT_FILE")
_LOG_LINES = 5
_DONE = "done"
_RUNNING = ".running"
_END_SECONDS = 10.0


class LocalMigrator:
    """Keeps a log and the outcome of each attempt below `folder`."""

    def __init__(
        self, folder: Path, artifacts: Path, store: ArtifactStore, fence: Fence, environ: Mapping[str, str]
    ) -> None:
        self._folder = folder
        self._artifacts = artifacts
        self._store = store
        self._fence = fence
        self._environ = environ

    def migrate(self, migration: Migration, attempt: str, *, epoch: int) -> None:
        """Run the command to its end, unless this attempt has succeeded before. Its whole process group ends with it.

        Raises `FencedError` before it starts, `UnhealthyError` for a status that is not 0 and for lateness.
        """
        ensure_private_folder(self._folder)
        name = f"{attempt}-{migration.step}-{migration.release.version}"
        outcome, log = self._folder / f"{name}.outcome", self._folder / f"{name}.log"
        if read_or_none(outcome) == _DONE:
            return
        running = self._folder / f"{name}{_RUNNING}"
        with ExitStack() as after:
            # Whoever takes over meanwhile either keeps it from starting or finds it recorded.
            with self._fence.holding(epoch):
                files = unpack_artifact(migration.release.artifact, self._store, self._artifacts)
                after.callback(shutil.rmtree, files, ignore_errors=True)
                child = self._start(migration, files, log)
                after.callback(running.unlink, missing_ok=True)
                after.callback(_end_group, child)
                started = psutil.Process(child.pid).create_time()
                record = {"service": migration.release.service, "pid": child.pid, "started": started}
                write_private_json(running, record)
            self._await_end(migration, child, log)
        write_private(outcome, _DONE)

    def end_migrations(self, service: str, *, epoch: int) -> None:
        """Kill the process group of every command of the service that still runs, and wait until it is gone.

        A command that has ended while something that it started runs on is left alone: its id may be somebody
        else's by now. Raises `FencedError`.
        """
        with self._fence.holding(epoch):
            for file in self._folder.glob(f"*{_RUNNING}"):
                record = read_json_or_none(file)
                if record and record["service"] == service:
                    _end_recorded(record["pid"], record["started"])
                    file.unlink(missing_ok=True)

    def _start(self, migration: Migration, files: Path, log: Path) -> subprocess.Popen[bytes]:
        command = [sys.executable if word == "{python}" else word for word in migration.command]
        with log.open("wb") as output:
            try:
                return subprocess.Popen(
                    command,
                    cwd=files,
                    env=self._variables(migration),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                )
            except OSError as error:
                raise _failed(migration, f"cannot start {command[0]}: {error.strerror}", log) from error

    def _await_end(self, migration: Migration, child: subprocess.Popen[bytes], log: Path) -> None:
        seconds = migration.workload.migrations.timeout_seconds
        try:
            status = child.wait(seconds)
        except subprocess.TimeoutExpired:
            raise _failed(migration, f"it ran longer than {seconds:.0f} s", log) from None
        if status != 0:
            raise _failed(migration, f"exit status {status}", log)

    def _variables(self, migration: Migration) -> dict[str, str]:
        workload = migration.workload
        names = (*_PASSED_ON, *workload.secret_variables)
        return {name: self._environ[name] for name in names if name in self._environ} | {
            **workload.environment,
            "SWITCHOVER_SERVICE": migration.release.service,
            "SWITCHOVER_VERSION": migration.release.version,
            "SWITCHOVER_MIGRATION": str(migration.step),
        }


def _end_group(child: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):  # all of it may have ended
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _end_recorded(pid: int, started: float) -> None:
    with suppress(psutil.NoSuchProcess, ProcessLookupError):
        leader = psutil.Process(pid)
        if leader.create_time() == started:
            os.killpg(pid, signal.SIGKILL)
            # Only looked at: its exit status belongs to whoever waits for it.
            wait_until(lambda: leader.status() == psutil.STATUS_ZOMBIE, _END_SECONDS)


def _failed(migration: Migration, why: str, log: Path) -> UnhealthyError:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()][-_LOG_LINES:]
    return UnhealthyError(
        f"the migration `{migration.step}` of {migration.release.service} {migration.release.version} failed",
        expected=f"`{' '.join(migration.command)}` to end with status 0",
        found=f"{why}; log: {' | '.join(lines) or 'empty'}",
        next_step="nothing was started and no traffic moved; correct the migration, which may have done a part of "
        "its work, and deploy again",
    )
