from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from switchover.adapters.cosign_signer import KEY, CosignSigner
from switchover.decide.outcome import Done, Failed, Skipped


def test_without_program_or_key_the_stage_is_skipped_with_the_reason(tmp_path: Path) -> None:
    assert CosignSigner(None, {KEY: "k"}).sign(tmp_path / "a", tmp_path / "b") == Skipped(
        "sign", "cosign is not on the PATH"
    )
    assert CosignSigner("cosign", {}).sign(tmp_path / "a", tmp_path / "b") == Skipped(
        "sign", "no key in COSIGN_PRIVATE_KEY"
    )


def test_a_program_that_fails_or_leaves_no_signature_fails_the_stage(tmp_path: Path) -> None:
    for name in ("false", "true", "no-such-program"):
        program = shutil.which(name) or str(tmp_path / name)
        assert isinstance(CosignSigner(program, {KEY: "k"}).sign(tmp_path / "a", tmp_path / "b"), Failed)


@pytest.mark.skipif(shutil.which("cosign") is None, reason="cosign is not on the PATH")
def test_what_cosign_signed_it_verifies(tmp_path: Path) -> None:
    program = shutil.which("cosign") or ""
    environment = {"COSIGN_PASSWORD": "", "HOME": str(tmp_path)}
    subprocess.run([program, "generate-key-pair"], cwd=tmp_path, env=environment, check=True, capture_output=True)
    file, bundle = tmp_path / "cart.tar.gz", tmp_path / "cart.sigstore.json"
    file.write_bytes(b"bytes")
    key = (tmp_path / "cosign.key").read_text(encoding="utf-8")
    assert isinstance(CosignSigner(program, {**environment, KEY: key}).sign(file, bundle), Done)
    verify = ["verify-blob", "--key=cosign.pub", "--insecure-ignore-tlog", f"--bundle={bundle}", str(file)]
    subprocess.run([program, *verify], cwd=tmp_path, env=environment, check=True, capture_output=True)
