"""Unpacked artifacts, one folder per digest, shared by the slots that run them."""

from __future__ import annotations

import os
import shutil
import tarfile
from pathlib import Path

from switchover.errors import TargetError
from switchover.model import Artifact
from switchover.ports import ArtifactStore


def unpack_artifact(artifact: Artifact, store: ArtifactStore, folder: Path) -> Path:
    """Return the folder that holds the files of a `.tar.gz` artifact; a known digest is not unpacked again.

    Members that would leave the folder are refused. Raises `TargetError`.
    """
    unpacked = folder / artifact.digest.rpartition(":")[2]
    if unpacked.is_dir():
        return unpacked
    archive = store.fetch(artifact.digest)
    beside = folder / f".{unpacked.name}.{os.getpid()}"
    try:
        with tarfile.open(archive, "r:gz") as tar:
            tar.extractall(beside, filter="data")
        beside.rename(unpacked)
    except (tarfile.TarError, OSError, EOFError) as error:
        if unpacked.is_dir():
            return unpacked  # another process was faster
        raise TargetError(
            f"cannot unpack {artifact.name} {artifact.version}",
            expected="a .tar.gz file whose members stay inside it, and room for them",
            found=str(error),
            next_step="build and publish the release again, or free some disk space",
        ) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return unpacked
