"""Unpacking an artifact for one life of a slot, from the archive whose digest was just checked."""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
from pathlib import Path

import psutil

from switchover.adapters.safe_tar import extract_inside
from switchover.errors import TargetError
from switchover.model import Artifact
from switchover.ports import ArtifactStore


def unpack_artifact(artifact: Artifact, store: ArtifactStore, folder: Path) -> Path:
    """Unpack a `.tar.gz` artifact into a new folder below `folder`, for the caller to move away; return it.

    What a process that was killed has left there is removed. Members that would leave the folder are refused.
    Raises `TargetError`.
    """
    archive = store.fetch(artifact.digest)
    _remove_abandoned(folder)
    unpacked = Path(tempfile.mkdtemp(f".{os.getpid()}", artifact.digest.rpartition(":")[2] + ".", folder))
    try:
        with tarfile.open(archive, "r:gz") as tar:
            extract_inside(tar, unpacked)
    except (tarfile.TarError, OSError, EOFError) as error:
        shutil.rmtree(unpacked, ignore_errors=True)
        raise TargetError(
            f"cannot unpack {artifact.name} {artifact.version}",
            expected="a .tar.gz file whose members stay inside it, and room for them",
            found=str(error),
            next_step="build and publish the release again, or free some disk space",
        ) from error
    return unpacked


def _remove_abandoned(folder: Path) -> None:
    for left in folder.iterdir() if folder.is_dir() else ():
        pid = left.name.rpartition(".")[2]
        if left.is_dir() and pid.isdecimal() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(left, ignore_errors=True)
