"""Signatures and attested inventories of images by the program cosign, held against a key or an identity."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from switchover.adapters.cosign_checks import Identity, Standing, Trust, ask_inventory, ask_signature
from switchover.adapters.cosign_program import CosignError, open_cosign
from switchover.model import Obstacle


class CosignVerifier:
    """`trust` is the file of a public key, or an identity. Credentials are those of the registry's other users."""

    def __init__(self, program: str | None, trust: Trust, environ: Mapping[str, str]) -> None:
        self._program = program
        self._trust = trust
        self._environ = environ

    @classmethod
    def from_machine(cls, trust: Trust, environ: Mapping[str, str]) -> CosignVerifier:
        """With the program that is on the PATH."""
        return cls(shutil.which("cosign", path=environ.get("PATH")), trust, environ)

    def find_obstacles(self, repository: str, digest: str, *, attestation: bool = False) -> tuple[Obstacle, ...]:
        """Why the image does not count as signed; empty: it is.

        With `attestation` its CycloneDX inventory must be attested too. Of a key's signatures nothing is asked of a
        log.
        """
        reference = f"{repository}@{digest}"
        place = f"the signature of {reference}"
        who = f"{self._trust.subject} of {self._trust.issuer}" if isinstance(self._trust, Identity) else self._trust
        expected = f"one that {who} verifies"
        if self._program is None:
            return (Obstacle(place, expected, "no cosign on the PATH to verify it", "install cosign"),)
        if isinstance(self._trust, Path) and not self._trust.is_file():
            return (Obstacle(place, expected, "no such file", "correct the path of the public key"),)
        wanted = [(place, ask_signature, "sign the image (`cosign sign`), or correct the key")]
        if attestation:
            fix = "attest it (`cosign attest --type cyclonedx`), or correct the key"
            wanted.append((f"the attested SBOM of {reference}", ask_inventory, fix))
        obstacles = []
        try:
            with open_cosign(self._program, self._environ, repository) as registry:
                for what, ask, fix in wanted:
                    found = ask(registry, self._trust, reference)
                    if found.standing is not Standing.THERE:
                        repair = fix if found.standing is Standing.ABSENT else "see what cosign says, then repeat"
                        obstacles.append(Obstacle(what, expected, found.said, repair))
        except CosignError as error:
            return (Obstacle(place, expected, str(error), "repeat"),)
        return tuple(obstacles)
