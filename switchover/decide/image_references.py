"""Names of images, and what a registry's documents say, without any connection."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from semver import Version

Json: TypeAlias = Mapping[str, Any]

REVISION = "org.opencontainers.image.revision"
VERSION = "org.opencontainers.image.version"
INDEX_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFEST_TYPES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_HUB = "docker.io"
_HUB_ADDRESS = "registry-1.docker.io"
_LOOPBACK = re.compile(r"localhost|127\.\d+\.\d+\.\d+|\[::1\]")
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')
_TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
_NUMBERS = re.compile(r"\d+(\.\d+)?", re.ASCII)
# Signatures and attestations are tagged so where a registry cannot list what refers to an image.
_ATTACHED = re.compile(r"sha256-[0-9a-f]{64}(\..+)?")


@dataclass(frozen=True, slots=True)
class Repository:
    """`name` is the one that credentials are kept under, `address` the host:port that is asked, `path` the images'."""

    name: str
    address: str
    path: str


def parse_repository(repository: str) -> Repository:
    """The parts of `host:port/path`; without a host it is one of Docker Hub."""
    first, _, rest = repository.partition("/")
    if rest and ("." in first or ":" in first or first == "localhost"):
        return Repository(first, _HUB_ADDRESS if first == _HUB else first, rest)
    return Repository(_HUB, _HUB_ADDRESS, repository if rest else f"library/{repository}")


def uses_plain_http(address: str, insecure: Iterable[str]) -> bool:
    """Whether a registry is asked without TLS: on this machine, or named by the operator (host or host:port)."""
    host = address.rpartition(":")[0] if re.search(r":\d+$", address) else address
    return bool(_LOOPBACK.fullmatch(host)) or bool({address, host} & set(insecure))


def tags_of(version: str) -> tuple[str, ...]:
    """The tags that a version may have, the likeliest first. A tag cannot hold `+`; it is written `_` there."""
    tag = version.replace("+", "_")
    return (tag, f"v{tag}")


def versions_of(tags: Iterable[str]) -> tuple[str, ...]:
    """The versions among tags, newest first. What is no version (`latest`) is none."""
    return tuple(sorted(filter(None, set(map(version_of, tags))), key=Version.parse, reverse=True))


def version_of(tag: str) -> str:
    """The version that a tag says, empty for one that says none."""
    text = tag.removeprefix("v").replace("_", "+")
    return text if Version.is_valid(text) else ""


def pointers_of(tags: Iterable[str]) -> tuple[str, ...]:
    """The tags that move, `latest`, `1` and `1.4` first. Versions are none, nor what is attached to a digest."""
    moving = [tag for tag in tags if not version_of(tag) and not _ATTACHED.fullmatch(tag)]
    return tuple(sorted(moving, key=lambda tag: (tag != "latest", not _NUMBERS.fullmatch(tag), len(tag), tag)))


def is_tag(text: str) -> bool:
    """Whether a registry takes the text as a tag."""
    return bool(_TAG.fullmatch(text))


def parse_challenge(header: str) -> tuple[str, dict[str, str]]:
    """Scheme, in lower case, and parameters of a `WWW-Authenticate` header."""
    scheme, _, rest = header.strip().partition(" ")
    return scheme.lower(), {name.lower(): value for name, value in _PARAMETER.findall(rest)}


def choose_manifest(index: Json) -> str | None:
    """The digest of one image of an index, for its labels: those of linux/amd64 if there, else the first."""
    images = [
        each for each in index.get("manifests") or () if each.get("mediaType", MANIFEST_TYPES[0]) in MANIFEST_TYPES
    ]
    platforms = [each.get("platform") or {} for each in images]
    wanted = [each for each, on in zip(images, platforms, strict=True) if on.get("architecture") == "amd64"]
    return next((str(each["digest"]) for each in (*wanted, *images) if each.get("digest")), None)


def find_revision(manifest: Json, config: Json) -> str:
    """The source commit by annotation or label; empty when nobody wrote it."""
    return _read(manifest, "annotations", REVISION) or _read(config.get("config"), "Labels", REVISION)


def find_version(manifest: Json) -> str:
    """The version by annotation; empty when nobody wrote it."""
    return _read(manifest, "annotations", VERSION)


def _read(document: object, part: str, name: str) -> str:
    """A text of a document that somebody else wrote: whatever is no text in its place is none."""
    held = document.get(part) if isinstance(document, Mapping) else None
    said = held.get(name) if isinstance(held, Mapping) else None
    return said if isinstance(said, str) else ""
