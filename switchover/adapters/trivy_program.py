"""One run of the program Trivy, in which nothing of the surroundings changes what it finds."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field

_LONGEST_QUOTE = 400
# Trivy takes every option from a variable too. These say where it gets its database, and nothing about what counts.
_TAKEN = frozenset(
    {
        "TRIVY_CACHE_DIR",
        "TRIVY_DB_REPOSITORY",
        "TRIVY_INSECURE",
        "TRIVY_JAVA_DB_REPOSITORY",
        "TRIVY_PASSWORD",
        "TRIVY_REGISTRY_TOKEN",
        "TRIVY_USERNAME",
    }
)
_FATAL = re.compile(r"\tFATAL\t(?:Fatal error\t)?(.*)", re.DOTALL)


class TrivyError(Exception):
    """Trivy did not do what it was asked for. The text says what it said."""


@dataclass(frozen=True, slots=True)
class TrivyProgram:
    """The program at `path`, with the environment that it is given the harmless part of."""

    path: str
    environment: Mapping[str, str] = field(repr=False)

    def run(self, arguments: list[str], seconds: float) -> None:
        """Run it to its end; raise `TrivyError` when it fails or takes longer than `seconds`."""
        variables = {
            name: value for name, value in self.environment.items() if not name.startswith("TRIVY_") or name in _TAKEN
        }
        # An empty folder: Trivy obeys a trivy.yaml, a .trivyignore and a trivy-secret.yaml that lie where it is run.
        with tempfile.TemporaryDirectory(prefix="switchover-trivy-") as empty:
            try:
                done = subprocess.run(
                    [self.path, *arguments, f"--timeout={seconds:.0f}s"],
                    cwd=empty,
                    env=variables,
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    text=True,
                    errors="replace",
                    timeout=seconds + 10,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                msg = f"trivy took longer than {seconds:.0f} s"
                raise TrivyError(msg) from None
            except OSError as error:
                msg = f"trivy did not run: {error}"
                raise TrivyError(msg) from None
        if done.returncode != 0:
            msg = f"trivy broke with exit status {done.returncode}: {_quote(done.stderr)}"
            raise TrivyError(msg)


def _quote(said: str) -> str:
    """What it says was fatal, else the end of what it says."""
    fatal = _FATAL.search(said)
    text = " ".join((fatal[1] if fatal else said).split())
    return text if len(text) <= _LONGEST_QUOTE else f"…{text[-_LONGEST_QUOTE:]}"
