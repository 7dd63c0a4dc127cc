"""What cosign says of an image in its registry: whether it is signed, and whether its inventory is attested."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from switchover.adapters.cosign_program import CosignAnswer, CosignRegistry

INVENTORY = "cyclonedx"
"""Cosign's word for an attestation that holds a CycloneDX document."""

_NO_SIGNATURES = 10
# The kinds of a statement that is a signature: of a bundle as cosign 3 writes it, and of cosign 2.
_SIGNATURES = frozenset({"https://sigstore.dev/cosign/sign/v1", "cosign container image signature"})
_ABSENT = re.compile(
    r"none of the attestations matched the predicate type.*"
    # Followed by a line for each that there is, made by somebody else.
    r"|no matching (attestations|signatures):?\s*(.*failed to verify.*|.*invalid signature.*)?"
)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who signed without a key: what the certificate says of them (a regular expression), and who vouched for that."""

    subject: str
    issuer: str


Trust = Path | Identity
"""What a signature is held against: the file of a public key, or an identity."""


class Standing(StrEnum):
    """Whether something is attached to an image. Unknown: cosign could not say."""

    THERE = "there"
    ABSENT = "absent"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Attached:
    """The standing, and what cosign said where it is not there."""

    standing: Standing
    said: str = ""


def ask_signature(registry: CosignRegistry, trust: Trust, reference: str) -> Attached:
    """Whether the image `repository@sha256:…` is signed.

    Cosign's exit status does not say: to it an attestation by the same key is a signature too.
    """
    answer = registry.run("verify", *_trusting(trust), "--output=json", reference)
    if answer.status != 0:
        return _explain(answer)
    try:
        kinds = {str(each["critical"]["type"]) for each in json.loads(answer.output)}
    except (ValueError, TypeError, KeyError):
        kinds = set()
    if not kinds:
        return Attached(Standing.UNKNOWN, "cosign wrote something that is no list of signatures")
    if kinds & _SIGNATURES:
        return Attached(Standing.THERE)
    return Attached(Standing.ABSENT, f"no signature, only {', '.join(sorted(kinds))}")


def ask_inventory(registry: CosignRegistry, trust: Trust, reference: str) -> Attached:
    """Whether a CycloneDX inventory of the image `repository@sha256:…` is attested."""
    answer = registry.run("verify-attestation", f"--type={INVENTORY}", *_trusting(trust), reference)
    return Attached(Standing.THERE) if answer.status == 0 else _explain(answer)


def _trusting(trust: Trust) -> tuple[str, ...]:
    if isinstance(trust, Identity):
        return (f"--certificate-identity-regexp={trust.subject}", f"--certificate-oidc-issuer-regexp={trust.issuer}")
    # A signature with a key of one's own needs no service elsewhere.
    return (f"--key={trust}", "--insecure-ignore-tlog=true")


def _explain(answer: CosignAnswer) -> Attached:
    said = answer.said.removeprefix("Error: ")
    absent = answer.status == _NO_SIGNATURES or bool(_ABSENT.fullmatch(said))
    return Attached(Standing.ABSENT if absent else Standing.UNKNOWN, said)
