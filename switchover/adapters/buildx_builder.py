"""Docker Buildx: builds by BuildKit, with its cache, for every platform that the chosen builder has a node for."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from switchover.adapters.engine_errors import explain_build
from switchover.errors import MissingProgramError, TargetError

_BUILD_SECONDS = 1800.0
_ASK_SECONDS = 60.0
_TOLD = 400
# The engine's own BuildKit: it builds for one platform, and writes no image into a file.
_ENGINE_DRIVER = "docker"
# How buildx says that it was the recipe's fault, or its program's.
_RECIPE = re.compile(r"failed to solve|dockerfile parse error", re.IGNORECASE)


class Buildx:
    """Buildx by `command`, with the builder that `environ` or `docker buildx use` chooses."""

    def __init__(self, command: tuple[str, ...], environ: Mapping[str, str]) -> None:
        self._command = command
        self._environ = environ

    def build(
        self, context: Path, dockerfile: str, saved: Path, *, platform: str, arguments: Mapping[str, str]
    ) -> None:
        """Write the image into `saved` as `docker save` does; an empty platform is the builder's own.

        Raises `InputError` with the end of the log when the recipe fails, `TargetError` when there is no builder.
        """
        done = self._run(
            "build",
            f"--file={context / dockerfile}",
            *([f"--platform={platform}"] if platform else []),
            *(f"--build-arg={name}={value}" for name, value in arguments.items()),
            f"--output=type=docker,dest={saved},rewrite-timestamp=true",
            # Both would be further manifests, which differ from build to build.
            "--provenance=false",
            "--sbom=false",
            "--progress=plain",
            str(context),
            seconds=_BUILD_SECONDS,
        )
        if done.returncode != 0:
            said = done.stderr.strip()
            if _RECIPE.search(said):
                raise explain_build(dockerfile, platform, said, "a node of the builder of docker buildx")
            raise self._refuse(said)

    def read_driver(self) -> str:
        """How the chosen builder works: `docker`, `docker-container`, `remote`, …; empty when nobody can say."""
        done = self._run("inspect", seconds=_ASK_SECONDS)
        found = re.search(r"^Driver:\s*(\S+)", done.stdout, re.MULTILINE)
        return found[1] if found and done.returncode == 0 else ""

    def _run(self, *words: str, seconds: float) -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(
                (*self._command, *words),
                env=dict(self._environ),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise self._refuse(f"nothing for {error.timeout:.0f} s") from error

    def _refuse(self, said: str) -> TargetError:
        return TargetError(
            "docker buildx does not build",
            expected="a builder that answers",
            found=said[-_TOLD:] or "no word",
            next_step='look at `docker buildx inspect`, or set release.images.builder to "engine"',
        )


def choose_buildx(wish: Literal["auto", "engine", "buildx"], environ: Mapping[str, str]) -> Buildx | None:
    """Buildx, or None where the engine builds.

    `auto` takes it where it is there with a builder of its own. Raises `MissingProgramError` where `buildx` is asked
    for and is not there.
    """
    found = None if wish == "engine" else find_buildx(environ)
    if wish == "auto":
        return found if found and found.read_driver() not in {"", _ENGINE_DRIVER} else None
    if wish == "buildx" and found is None:
        raise MissingProgramError(
            "docker buildx is not on this machine",
            expected='it, since release.images.builder is "buildx"',
            found="neither the plugin of docker nor docker-buildx",
            next_step='install it, or set release.images.builder to "auto"',
        )
    return found


def find_buildx(environ: Mapping[str, str]) -> Buildx | None:
    """Buildx as a plugin of the PATH's docker, else as a program of its own; None where neither is."""
    path = environ.get("PATH")
    for program, *words in (("docker", "buildx"), ("docker-buildx",)):
        found = shutil.which(program, path=path)
        if found is None:
            continue
        command = (found, *words)
        done = subprocess.run(
            (*command, "version"), env=dict(environ), capture_output=True, timeout=_ASK_SECONDS, check=False
        )
        if done.returncode == 0:
            return Buildx(command, environ)
    return None
