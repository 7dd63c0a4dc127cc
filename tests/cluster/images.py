"""Builds OCI images without an engine and pushes them to a registry, the same bytes every time."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.cluster.pause_image import architecture

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
USER = "1000:1000"


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes that a registry knows by their digest."""

    content: bytes
    digest: str
    media_type: str

    def descriptor(self) -> dict[str, Any]:
        """How a manifest names it."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": len(self.content)}


@dataclass(frozen=True, slots=True)
class Image:
    """A manifest with the blobs it names."""

    manifest: Blob
    blobs: tuple[Blob, ...]


def blob(content: bytes, media_type: str) -> Blob:
    """The bytes with their digest."""
    return Blob(content, f"sha256:{hashlib.sha256(content).hexdigest()}", media_type)


def program_layer(program: Path) -> Blob:
    """A layer that has this program as `/app`, and nothing else. It is not compressed: it only crosses loopback."""
    content = program.read_bytes()
    entry = tarfile.TarInfo("app")
    entry.size = len(content)
    entry.mode = 0o755
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        tar.addfile(entry, io.BytesIO(content))
    return blob(archive.getvalue(), LAYER_TYPE)


def image_of(layer: Blob, environment: Mapping[str, str], command: tuple[str, ...] = ()) -> Image:
    """The program as an image FROM scratch whose configuration carries the environment, for user 1000."""
    config = blob(
        _json(
            {
                "architecture": architecture(),
                "os": "linux",
                "config": {
                    "User": USER,
                    "Env": [f"{name}={value}" for name, value in sorted(environment.items())],
                    "Entrypoint": ["/app"],
                    "Cmd": list(command),
                    "ExposedPorts": {"8080/tcp": {}},
                    "Labels": {"org.opencontainers.image.version": environment.get("VERSION", "0.0.0")},
                },
                "rootfs": {"type": "layers", "diff_ids": [layer.digest]},
                "history": [{"created_by": "switchover's tests"}],
            }
        ),
        CONFIG_TYPE,
    )
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": config.descriptor(),
            "layers": [layer.descriptor()],
        }
    )
    return Image(blob(manifest, MANIFEST_TYPE), (layer, config))


def push_image(client: httpx.Client, repository: str, tag: str, image: Image) -> str:
    """Put the image where it is not there yet, under the tag; the digest of its manifest.

    `client` has the registry as its base URL. Raises `httpx.HTTPStatusError` with the registry's answer.
    """
    for part in image.blobs:
        if client.head(f"/v2/{repository}/blobs/{part.digest}").status_code == httpx.codes.OK:
            continue
        started = client.post(f"/v2/{repository}/blobs/uploads/").raise_for_status()
        place = httpx.URL(started.headers["Location"]).copy_merge_params({"digest": part.digest})
        octets = {"Content-Type": "application/octet-stream"}
        client.put(place, content=part.content, headers=octets).raise_for_status()
    put = client.put(
        f"/v2/{repository}/manifests/{tag}",
        content=image.manifest.content,
        headers={"Content-Type": image.manifest.media_type},
    )
    return str(put.raise_for_status().headers["Docker-Content-Digest"])


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
