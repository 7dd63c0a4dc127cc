"""The repository's own tests, run on the files of a commit and nothing else."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from switchover.adapters.commit_export import export_commit
from switchover.decide.outcome import Done, Failed, Outcome
from switchover.errors import InputError

STAGE = "build-test"
_SHOWN_CHARACTERS = 600


class CommitTester:
    """Port `Tester`: `command` run in the root of an export out of the checkout in `root`; {python} is this Python.

    It runs with `environ` without the variables in `hidden`.
    """

    def __init__(
        self,
        root: Path,
        command: Sequence[str],
        environ: Mapping[str, str],
        *,
        hidden: frozenset[str] = frozenset(),
        test_seconds: float = 1800.0,
    ) -> None:
        self._root = root
        self._command = [part.replace("{python}", sys.executable) for part in command]
        self._environ = {name: value for name, value in environ.items() if name not in hidden}
        self._test_seconds = test_seconds

    def test(self, commit: str) -> Outcome:
        """Done where the command ends with status 0, else failed with the end of what it said."""
        with tempfile.TemporaryDirectory(prefix="switchover-test-") as made:
            export_commit(self._root, commit, (), Path(made))
            try:
                done = subprocess.run(
                    self._command,
                    cwd=made,
                    env={**self._environ, "CI": "true", "PYTHONDONTWRITEBYTECODE": "1"},
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    errors="replace",
                    timeout=self._test_seconds,
                    check=False,
                )
            except OSError as error:
                raise InputError(
                    "the repository's tests cannot start",
                    expected=f"that {self._command[0]} can be executed",
                    found=error.strerror or str(error),
                    next_step="install it, or correct release.test in switchover.toml",
                ) from error
            except subprocess.TimeoutExpired:
                return Failed(STAGE, f"no end within {self._test_seconds:.0f} s")
        if done.returncode != 0:
            return Failed(STAGE, f"exit status {done.returncode}: {done.stdout.strip()[-_SHOWN_CHARACTERS:]}")
        return Done(STAGE, commit[:12])
