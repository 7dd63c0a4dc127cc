"""Signatures of artifacts by the program cosign, with a key from the environment."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from switchover.decide.outcome import Done, Failed, Outcome, Skipped

STAGE = "sign"
KEY = "COSIGN_PRIVATE_KEY"
SIGN_SECONDS = 120.0


class CosignSigner:
    """Port `Signer` on `cosign sign-blob`. The key stands in `COSIGN_PRIVATE_KEY`, its password beside it."""

    def __init__(self, program: str | None, environment: Mapping[str, str]) -> None:
        self._program = program
        self._environment = environment

    @classmethod
    def from_machine(cls) -> CosignSigner:
        """The signer with what the PATH and the environment of this process give."""
        return cls(shutil.which("cosign"), os.environ)

    def sign(self, file: Path, signature: Path) -> Outcome:
        """Write a signature bundle of `file` to `signature`. The key never appears in an argument."""
        if self._program is None:
            return Skipped(STAGE, "cosign is not on the PATH")
        if not self._environment.get(KEY):
            return Skipped(STAGE, f"no key in {KEY}")
        command = [
            self._program,
            "sign-blob",
            f"--key=env://{KEY}",
            "--yes",
            # No transparency log: a signature with a key of one's own needs no service elsewhere.
            "--use-signing-config=false",
            "--tlog-upload=false",
            f"--bundle={signature}",
            str(file),
        ]
        try:
            done = subprocess.run(
                command,
                env=dict(self._environment),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=SIGN_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return Failed(STAGE, f"cosign did not run: {error}")
        if done.returncode != 0 or not signature.is_file():
            return Failed(STAGE, f"cosign failed with exit status {done.returncode}: {done.stderr.strip()[-300:]}")
        return Done(STAGE, signature.name)
