from __future__ import annotations

from pathlib import Path

from switchover.adapters.cosign_verifier import CosignVerifier

DIGEST = "sha256:" + "0" * 64


def program(folder: Path, script: str) -> str:
    file = folder / "cosign"
    file.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    file.chmod(0o755)
    return str(file)


def key(folder: Path) -> Path:
    file = folder / "cosign.pub"
    file.write_text("a key", encoding="utf-8")
    return file


def test_a_signed_image_is_no_obstacle_and_cosign_is_asked_for_the_very_digest(tmp_path: Path) -> None:
    cosign = program(tmp_path, f'echo "$@" > {tmp_path}/asked')
    assert CosignVerifier(cosign, key(tmp_path), {}).find_obstacles("localhost:5000/shop", DIGEST) == ()
    asked = (tmp_path / "asked").read_text(encoding="utf-8").split()
    assert asked[0] == "verify"
    assert asked[-1] == f"localhost:5000/shop@{DIGEST}"
    assert "--allow-http-registry" in asked
    assert CosignVerifier(cosign, key(tmp_path), {}).find_obstacles("registry.example.com/shop", DIGEST) == ()
    assert "--allow-http-registry" not in (tmp_path / "asked").read_text(encoding="utf-8")


def test_an_image_that_is_not_signed_says_what_cosign_says(tmp_path: Path) -> None:
    cosign = program(tmp_path, "echo 'Error: no signatures found' >&2; exit 10")
    (obstacle,) = CosignVerifier(cosign, key(tmp_path), {}).find_obstacles("localhost:5000/shop", DIGEST)
    assert obstacle.found == "Error: no signatures found"
    assert DIGEST in obstacle.place


def test_without_the_program_or_the_key_nothing_counts_as_signed(tmp_path: Path) -> None:
    (no_program,) = CosignVerifier(None, key(tmp_path), {}).find_obstacles("localhost:5000/shop", DIGEST)
    assert "install cosign" in no_program.fix
    missing = CosignVerifier(program(tmp_path, "exit 0"), tmp_path / "none", {})
    assert "signature_key" in missing.find_obstacles("localhost:5000/shop", DIGEST)[0].fix
    broken = CosignVerifier(str(tmp_path), key(tmp_path), {})
    assert "did not run" in broken.find_obstacles("localhost:5000/shop", DIGEST)[0].found
