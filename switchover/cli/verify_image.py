"""`switchover verify IMAGE`: whether an image is signed, and its inventory attested."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from switchover.adapters.cosign_checks import Identity, Trust
from switchover.adapters.cosign_verifier import CosignVerifier
from switchover.adapters.oci_registry import OciRegistry, digest_of
from switchover.cli.options import read_config
from switchover.decide.named_image import NamedImage, parse_named_image
from switchover.errors import InputError, TargetError
from switchover.model import Obstacle


@dataclass(frozen=True, slots=True)
class VerifiedImage:
    """The image by digest, and what is missing. Nothing is missing: it `fits`."""

    image: str
    fits: bool
    missing: tuple[Obstacle, ...]

    def __str__(self) -> str:
        """Write it as the command line shows it."""
        lines = [f"{each.place}: {each.found}; {each.fix}" for each in self.missing]
        return "\n".join([self.image, *lines] if lines else [self.image, "signed, and its SBOM is attested"])


def verify_image(
    text: str, key: Path | None, identity: str | None, issuer: str | None, config_path: Path | None
) -> VerifiedImage:
    """Look at the image that `text` names, by the digest that it has in its registry now.

    Raises `InputError` where it is not clear whose signature is wanted, `TargetError` for an image that is not there.
    """
    image = parse_named_image(text)
    trust = _choose_trust(key, identity, issuer, config_path)
    environ = dict(os.environ)
    digest = _read_digest(image, environ)
    missing = CosignVerifier.from_machine(trust, environ).find_obstacles(image.repository, digest, attestation=True)
    return VerifiedImage(f"{image.repository}@{digest}", not missing, missing)


def _choose_trust(key: Path | None, identity: str | None, issuer: str | None, config_path: Path | None) -> Trust:
    if identity is None and issuer is None:
        return key or _read_only_key(config_path)
    if key is not None or identity is None or issuer is None:
        raise InputError(
            "whose signature is wanted?",
            expected="either --key, or --identity and --issuer",
            found=" and ".join(
                name for name, value in (("--key", key), ("--identity", identity), ("--issuer", issuer)) if value
            ),
            next_step="say one of the two",
        )
    return Identity(identity, issuer)


def _read_only_key(config_path: Path | None) -> Path:
    """The one key that the configuration's environments want signatures of."""
    config = read_config(config_path)
    kubernetes = [each.kubernetes for each in config.environments.values() if each.kubernetes]
    keys = sorted({config.root / each.signature_key for each in kubernetes if each.signature_key})
    if len(keys) != 1:
        raise InputError(
            "whose signature is wanted?",
            expected="--key, --identity with --issuer, or one `signature_key` in the configuration",
            found=", ".join(map(str, keys)) or "no key in the configuration",
            next_step="add --key FILE with cosign's public key",
        )
    return keys[0]


def _read_digest(image: NamedImage, environ: Mapping[str, str]) -> str:
    answer = OciRegistry(image.repository, environ).read_manifest(image.reference)
    if answer is None:
        raise TargetError(
            f"{image.repository} has no such image",
            expected=f"an image {image.reference}",
            found="none in the registry",
            next_step="correct the tag or the digest, or publish it",
        )
    return digest_of(answer.body)
