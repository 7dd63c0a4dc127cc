"""What it means when an engine is not there, refuses, or cannot build an image."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from switchover.errors import InputError, MissingProgramError, TargetError

# What the kernel says of a program of another processor.
_FOREIGN = "exec format error"
_TOLD = 400


def explain_missing(error: Exception) -> MissingProgramError:
    """The error for an engine whose client could not be made, for whatever reason."""
    where = os.environ.get("DOCKER_HOST", "the usual socket")
    program = shutil.which("docker") or shutil.which("podman")
    missing = isinstance(error, ImportError)
    return MissingProgramError(
        "there is no container engine",
        expected="a Docker-compatible engine that answers, and the Python package docker",
        found="no package docker" if missing else f"{where}: {error}"[-_TOLD:],
        next_step="pip install 'switchover[containers]'"
        if missing
        else f"start {Path(program).name}'s service"
        if program
        else "install podman or Docker, start its service, and set DOCKER_HOST if its socket is not the usual one",
    )


def explain_refusal(failed: str, error: Exception) -> TargetError:
    """The error for an engine that did not do what it was asked for."""
    return TargetError(
        failed,
        expected="that the container engine does it",
        found=str(error)[-_TOLD:],
        next_step="look at the engine (`docker info` or `podman info`), then repeat",
    )


def explain_build(dockerfile: str, platform: str, said: str, host: str) -> InputError:
    """The error for a build that said `said`, on the machine `host`; `platform` is empty for the machine's own."""
    if platform and _FOREIGN in said.lower():
        return InputError(
            f"the build with {dockerfile} for {platform} failed",
            expected=f"that {host} can run programs of {platform}",
            found=said[-_TOLD:],
            next_step=f"name an engine on {platform} in release.images.hosts, or give that machine an emulator of it "
            "(binfmt_misc with QEMU)",
        )
    return InputError(
        f"the build with {dockerfile} failed",
        expected=f"an image for {platform}" if platform else "an image",
        found=said[-_TOLD:],
        next_step="build it by hand from a checkout of the commit, and correct the recipe",
    )
