from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest

from tests.cluster.images import Image
from tests.cluster.releases import RELEASES, release_image


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "program"
    path.write_bytes(b"\x7fELF and so on")
    return path


def _configuration(image: Image) -> dict[str, object]:
    configuration: dict[str, object] = json.loads(image.blobs[1].content)["config"]
    return configuration


def test_the_same_release_has_the_same_digest_every_time(program: Path) -> None:
    release = {"VERSION": "1.0.1"}
    assert release_image(program, release).manifest.digest == release_image(program, release).manifest.digest


def test_two_releases_that_behave_alike_have_different_digests_and_one_layer(program: Path) -> None:
    one, other = (release_image(program, {"VERSION": version}) for version in ("1.0.1", "1.0.2"))
    assert one.manifest.digest != other.manifest.digest
    assert one.blobs[0] == other.blobs[0]


def test_no_two_releases_share_a_version_or_a_digest(program: Path) -> None:
    assert len({release["VERSION"] for release in RELEASES.values()}) == len(RELEASES)
    digests = {release_image(program, release).manifest.digest for release in RELEASES.values()}
    assert len(digests) == len(RELEASES)


def test_the_manifest_names_every_blob_with_its_size(program: Path) -> None:
    image = release_image(program, {"VERSION": "1.0.1"})
    manifest = json.loads(image.manifest.content)
    named = [manifest["layers"][0], manifest["config"]]
    assert [(one["digest"], one["size"]) for one in named] == [(blob.digest, len(blob.content)) for blob in image.blobs]


def test_an_image_holds_one_program_that_runs_as_nobody_special(program: Path) -> None:
    image = release_image(program, {"VERSION": "1.0.1"})
    with tarfile.open(fileobj=io.BytesIO(image.blobs[0].content)) as layer:
        assert [(entry.name, entry.mode, entry.uid) for entry in layer] == [("app", 0o755, 0)]
    configuration = _configuration(image)
    assert configuration["User"] == "1000:1000"
    assert configuration["Entrypoint"] == ["/app"]


def test_the_behaviour_of_a_release_is_in_its_image(program: Path) -> None:
    assert "ERROR_RATE=0.3" in str(_configuration(release_image(program, RELEASES["errors"]))["Env"])
