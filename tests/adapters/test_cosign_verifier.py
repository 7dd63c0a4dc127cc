from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from switchover.adapters.cosign_checks import Identity
from switchover.adapters.cosign_signer import CosignSigner
from switchover.adapters.cosign_verifier import CosignVerifier
from switchover.config_release import SignConfig
from switchover.decide.outcome import Done
from tests.cluster.images import image_of, program_layer, push_image
from tests.real_parts.cosign import PASSWORD, KeyPair, find_cosign, make_key_pair
from tests.real_parts.docker_registry import docker_registry

DIGEST = "sha256:" + "0" * 64
SIGNATURE = '[{"critical": {"type": "https://sigstore.dev/cosign/sign/v1"}}]'


@dataclass(frozen=True, slots=True)
class Signed:
    """A registry with images: one signed, one signed and attested, one neither."""

    pair: KeyPair
    environ: dict[str, str]
    signed: tuple[str, str]
    attested: tuple[str, str]
    plain: tuple[str, str]

    def verifier(self, key: Path | None = None) -> CosignVerifier:
        return CosignVerifier(find_cosign(), key or self.pair.public, self.environ)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Signed]:
    folder = tmp_path_factory.mktemp("world")
    pair = make_key_pair(folder / "key")
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "COSIGN_PASSWORD": PASSWORD}
    (folder / "sbom.json").write_text('{"bomFormat": "CycloneDX", "specVersion": "1.6"}', encoding="utf-8")
    with docker_registry(folder / "registry") as address:
        signed, attested, plain = (push(address, folder, name) for name in ("signed", "attested", "plain"))
        signer = CosignSigner(find_cosign(), {**environ, "COSIGN_PRIVATE_KEY": pair.private}, SignConfig())
        assert isinstance(signer.sign_image("@".join(signed), None), Done)
        assert isinstance(signer.sign_image("@".join(attested), folder / "sbom.json"), Done)
        yield Signed(pair, environ, signed, attested, plain)


def push(address: str, folder: Path, repository: str) -> tuple[str, str]:
    (folder / "app").write_text(repository, encoding="utf-8")
    with httpx.Client(base_url=f"http://{address}") as client:
        digest = push_image(client, repository, "1.0.0", image_of(program_layer(folder / "app"), {}))
    return f"{address}/{repository}", digest


def program(folder: Path, script: str) -> str:
    file = folder / "cosign"
    file.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    file.chmod(0o755)
    return str(file)


def key(folder: Path) -> Path:
    file = folder / "cosign.pub"
    file.write_text("a key", encoding="utf-8")
    return file


def test_a_signed_image_is_no_obstacle_and_without_an_attestation_one_where_it_is_wanted(world: Signed) -> None:
    assert world.verifier().find_obstacles(*world.signed) == ()
    (obstacle,) = world.verifier().find_obstacles(*world.signed, attestation=True)
    assert obstacle.place == f"the attested SBOM of {'@'.join(world.signed)}"
    assert "none of the attestations matched" in obstacle.found
    assert "cosign attest" in obstacle.fix
    assert world.verifier().find_obstacles(*world.attested, attestation=True) == ()


def test_an_image_that_nobody_signed_lacks_both(world: Signed) -> None:
    signature, attestation = world.verifier().find_obstacles(*world.plain, attestation=True)
    assert signature.found == "no signatures found"
    assert "no matching attestations" in attestation.found


def test_another_key_verifies_nothing(world: Signed, tmp_path: Path) -> None:
    other = make_key_pair(tmp_path)
    obstacles = world.verifier(other.public).find_obstacles(*world.attested, attestation=True)
    assert [obstacle.fix.partition(",")[0] for obstacle in obstacles] == [
        "sign the image (`cosign sign`)",
        "attest it (`cosign attest --type cyclonedx`)",
    ]


def test_a_registry_that_is_silent_is_said_as_such(world: Signed) -> None:
    (obstacle,) = world.verifier().find_obstacles("127.0.0.1:1/shop", DIGEST)
    assert "connection refused" in obstacle.found
    assert obstacle.fix == "see what cosign says, then repeat"


def test_an_attestation_alone_is_no_signature_whatever_cosign_returns(tmp_path: Path) -> None:
    said = """[{"critical": {"type": "https://cyclonedx.org/bom"}}]"""
    cosign = program(tmp_path, f"echo '{said}'")
    (obstacle,) = CosignVerifier(cosign, key(tmp_path), {}).find_obstacles("localhost:5000/shop", DIGEST)
    assert obstacle.found == "no signature, only https://cyclonedx.org/bom"
    for nonsense in ("", "{}", "[1]"):
        cosign = program(tmp_path, f"echo '{nonsense}'")
        (obstacle,) = CosignVerifier(cosign, key(tmp_path), {}).find_obstacles("localhost:5000/shop", DIGEST)
        assert "cosign wrote something" in obstacle.found


def test_cosign_is_asked_for_the_very_digest(tmp_path: Path) -> None:
    cosign = program(tmp_path, f"echo \"$@\" > {tmp_path}/asked; echo '{SIGNATURE}'")
    assert CosignVerifier(cosign, key(tmp_path), {}).find_obstacles("localhost:5000/shop", DIGEST) == ()
    asked = (tmp_path / "asked").read_text(encoding="utf-8").split()
    assert asked[0] == "verify"
    assert asked[-1] == f"localhost:5000/shop@{DIGEST}"
    assert "--allow-http-registry" in asked
    assert CosignVerifier(cosign, key(tmp_path), {}).find_obstacles("registry.example.com/shop", DIGEST) == ()
    assert "--allow-http-registry" not in (tmp_path / "asked").read_text(encoding="utf-8")


def test_an_identity_is_held_against_certificate_and_log(tmp_path: Path) -> None:
    cosign = program(tmp_path, f"echo \"$@\" > {tmp_path}/asked; echo '{SIGNATURE}'")
    who = Identity("^https://github.com/acme/", "^https://token.example.com$")
    assert CosignVerifier(cosign, who, {}).find_obstacles("registry.example.com/shop", DIGEST) == ()
    asked = (tmp_path / "asked").read_text(encoding="utf-8").split()
    assert "--certificate-identity-regexp=^https://github.com/acme/" in asked
    assert "--certificate-oidc-issuer-regexp=^https://token.example.com$" in asked
    assert not [each for each in asked if each.startswith(("--key", "--insecure"))]


def test_without_the_program_or_the_key_nothing_counts_as_signed(tmp_path: Path) -> None:
    (no_program,) = CosignVerifier(None, key(tmp_path), {}).find_obstacles("localhost:5000/shop", DIGEST)
    assert "install cosign" in no_program.fix
    missing = CosignVerifier(program(tmp_path, "exit 0"), tmp_path / "none", {})
    assert "public key" in missing.find_obstacles("localhost:5000/shop", DIGEST)[0].fix
    broken = CosignVerifier(str(tmp_path), key(tmp_path), {})
    assert "did not run" in broken.find_obstacles("localhost:5000/shop", DIGEST)[0].found
