"""The real cosign, unpacked into the cache, and key pairs of tests' own."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from tests.real_parts.debian import unpacked_newer

PASSWORD = "of a test"  # noqa: S105 protects nothing but a test's key
_SECONDS = 60


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A private key, protected by `PASSWORD`, as text, and the file of its public half."""

    private: str = field(repr=False)
    public: Path


def find_cosign() -> str:
    """The program on the PATH, else the one of the newest Debian. Raises `MissingProgramError` where there is none."""
    return shutil.which("cosign") or str(unpacked_newer("cosign", ["cosign"]) / "usr" / "bin" / "cosign")


def make_key_pair(folder: Path) -> KeyPair:
    """A new key pair in the folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [find_cosign(), "generate-key-pair"],
        cwd=folder,
        env={"COSIGN_PASSWORD": PASSWORD, "HOME": str(folder), "PATH": os.defpath},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=_SECONDS,
        check=True,
    )
    return KeyPair((folder / "cosign.key").read_text(encoding="utf-8"), folder / "cosign.pub")
