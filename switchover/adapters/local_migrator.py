"""The port `Migrator` on this machine: the command runs in the release's own unpacked files."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from switchover.adapters.artifact_folder import unpack_artifact
from switchover.adapters.private_files import ensure_private_folder, read_or_none, write_private
from switchover.errors import UnhealthyError
from switchover.model import Migration
from switchover.ports import ArtifactStore, Fence

# The same few variables of the operator's that a replica gets.
_PASSED_ON = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "SSL_CERT_FILE")
_LOG_LINES = 5
_DONE = "done"


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
        with self._fence.holding(epoch):
            files = unpack_artifact(migration.release.artifact, self._store, self._artifacts)
        try:
            self._run(migration, files, log)
        finally:
            shutil.rmtree(files, ignore_errors=True)
        write_private(outcome, _DONE)

    def _run(self, migration: Migration, files: Path, log: Path) -> None:
        command = [sys.executable if word == "{python}" else word for word in migration.command]
        seconds = migration.workload.migrations.timeout_seconds
        with log.open("wb") as output:
            try:
                child = subprocess.Popen(
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
            try:
                status: int | None = child.wait(seconds)
            except subprocess.TimeoutExpired:
                status = None
            finally:
                _end_group(child)
        if status is None:
            raise _failed(migration, f"it ran longer than {seconds:.0f} s", log)
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


def _failed(migration: Migration, why: str, log: Path) -> UnhealthyError:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()][-_LOG_LINES:]
    return UnhealthyError(
        f"the migration `{migration.step}` of {migration.release.service} {migration.release.version} failed",
        expected=f"`{' '.join(migration.command)}` to end with status 0",
        found=f"{why}; log: {' | '.join(lines) or 'empty'}",
        next_step="nothing was started and no traffic moved; correct the migration, which may have done a part of "
        "its work, and deploy again",
    )
