"""One run of the program cosign, against one registry, with the credentials that the rest of switchover uses."""

from __future__ import annotations

import base64
import json
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from switchover.adapters.docker_credentials import PASSWORD, USER
from switchover.adapters.oci_registry import INSECURE
from switchover.decide.image_references import parse_repository, uses_plain_http

_SECONDS = 120.0
_LONGEST_QUOTE = 300
_HUB = "docker.io"
_HUB_KEY = "https://index.docker.io/v1/"


class CosignError(Exception):
    """Cosign could not be run to its end. The text says why."""


@dataclass(frozen=True, slots=True)
class CosignAnswer:
    """How cosign ended and what it wrote. `said` is its error in one line."""

    status: int
    output: str
    errors: str

    @property
    def said(self) -> str:
        """Its words, without warnings, at most 300 characters."""
        text = self.errors.partition("error during command execution:")[0]
        start = text.find("Error: ")
        lines = text[start:].splitlines() if start >= 0 else text.splitlines()
        return " ".join(" ".join(lines).split())[:_LONGEST_QUOTE] or f"exit status {self.status}"


@dataclass(frozen=True, slots=True)
class Cosign:
    """The program at `path`; its environment is never written into arguments or errors."""

    path: str
    environment: Mapping[str, str] = field(repr=False)

    def run(self, *arguments: str) -> CosignAnswer:
        """Run it to its end; raise `CosignError` when it cannot be run, or takes more than two minutes."""
        # An unset password would be asked for, and an empty one is what a key without a password has.
        environment = {"COSIGN_PASSWORD": "", **self.environment}
        try:
            done = subprocess.run(
                [self.path, *arguments],
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            msg = f"cosign took longer than {_SECONDS:.0f} s"
            raise CosignError(msg) from None
        except OSError as error:
            msg = f"cosign did not run: {error}"
            raise CosignError(msg) from None
        return CosignAnswer(done.returncode, done.stdout, done.stderr)


@dataclass(frozen=True, slots=True)
class CosignRegistry:
    """Cosign as it speaks to the registry of one repository."""

    cosign: Cosign
    options: tuple[str, ...]

    def run(self, command: str, *arguments: str) -> CosignAnswer:
        """As `Cosign.run`, with what this registry needs."""
        return self.cosign.run(command, *self.options, *arguments)


@contextmanager
def open_cosign(path: str, environment: Mapping[str, str], repository: str) -> Iterator[CosignRegistry]:
    """Cosign for one repository, `host:port/path`.

    It reads docker's own configuration; user and password of the environment reach it by a configuration in a folder
    that only this user may read and that is removed afterwards.
    """
    parsed = parse_repository(repository)
    insecure = [each.strip() for each in environment.get(INSECURE, "").split(",") if each.strip()]
    options = ("--allow-http-registry",) if uses_plain_http(parsed.address, insecure) else ()
    if not environment.get(USER):
        yield CosignRegistry(Cosign(path, environment), options)
        return
    both = f"{environment[USER]}:{environment.get(PASSWORD, '')}"
    entry = {"auth": base64.b64encode(both.encode()).decode()}
    # mkdtemp, behind this, makes a folder that nobody else can enter.
    with tempfile.TemporaryDirectory(prefix="switchover-docker-") as made:
        file = Path(made) / "config.json"
        file.write_text(json.dumps({"auths": {_HUB_KEY if parsed.name == _HUB else parsed.name: entry}}))
        rest = {name: value for name, value in environment.items() if name not in {USER, PASSWORD}}
        yield CosignRegistry(Cosign(path, {**rest, "DOCKER_CONFIG": made}), options)
