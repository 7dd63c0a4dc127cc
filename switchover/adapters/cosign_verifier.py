"""Signatures of images by the program cosign, with a public key of one's own."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from switchover.adapters.registry_images import INSECURE
from switchover.decide.image_references import parse_repository, uses_plain_http
from switchover.model import Obstacle

_SECONDS = 60.0
_LONGEST_QUOTE = 300


class CosignVerifier:
    """`key` is the file of the public key. Credentials are those of docker login."""

    def __init__(self, program: str | None, key: Path, environ: Mapping[str, str]) -> None:
        self._program = program
        self._key = key
        self._environ = environ

    @classmethod
    def from_machine(cls, key: Path, environ: Mapping[str, str]) -> CosignVerifier:
        """With the program that is on the PATH."""
        return cls(shutil.which("cosign", path=environ.get("PATH")), key, environ)

    def find_obstacles(self, repository: str, digest: str) -> tuple[Obstacle, ...]:
        """Why the image does not count as signed with the key; empty: it is. Nothing is asked of a log."""
        place = f"the signature of {repository}@{digest}"
        expected = f"one that {self._key} verifies"
        if self._program is None:
            return (Obstacle(place, expected, "no cosign on the PATH to verify it", "install cosign"),)
        if not self._key.is_file():
            return (Obstacle(place, expected, "no such file", "correct `signature_key`"),)
        insecure = self._environ.get(INSECURE, "").split(",")
        plain = uses_plain_http(parse_repository(repository).address, insecure)
        command = [
            self._program,
            "verify",
            f"--key={self._key}",
            # A signature with a key of one's own needs no service elsewhere.
            "--insecure-ignore-tlog=true",
            *(["--allow-http-registry"] if plain else []),
            f"{repository}@{digest}",
        ]
        try:
            done = subprocess.run(
                command,
                env=dict(self._environ),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return (Obstacle(place, expected, f"cosign did not run: {error}", "repeat"),)
        if done.returncode == 0:
            return ()
        errors = [line for line in done.stderr.splitlines() if line.lower().startswith("error")]
        said = (errors[0] if errors else " ".join(done.stderr.split()))[:_LONGEST_QUOTE]
        return (Obstacle(place, expected, said, "sign the image (`cosign sign`), or correct `signature_key`"),)
