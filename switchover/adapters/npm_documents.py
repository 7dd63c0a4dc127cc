"""What npm registries and npm tarballs say, checked for size and type before anybody relies on it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import tarfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from switchover.decide.components import Component
from switchover.errors import InputError

_SHA512 = re.compile(r"sha512-[A-Za-z0-9+/]{86}==")
_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_NO_VERSIONS = frozenset({"created", "modified", "unpublished"})
_LARGEST_MANIFEST = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class PublishedVersion:
    """A version in a registry: `sha512-…` of its bytes, its commit and its warning, each empty when not stated."""

    integrity: str
    commit: str
    deprecated: str


@dataclass(frozen=True, slots=True)
class Packument:
    """A package in a registry. `unpublished` are the versions that were there once."""

    versions: Mapping[str, PublishedVersion]
    tags: Mapping[str, str]
    unpublished: frozenset[str] = frozenset()


def parse_packument(body: bytes, name: str) -> Packument:
    """Read a registry's document about the package `name`. Raises `ValueError` that says what is wrong with it."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        msg = f"{len(body)} bytes that are no JSON"
        raise ValueError(msg) from None
    if not isinstance(document, dict) or document.get("name") != name:
        msg = "JSON that is no document about this package"
        raise ValueError(msg)
    times = _object(document, "time")
    gone = times.get("unpublished")
    entries = _object(document, "versions")
    if not all(isinstance(entry, dict) for entry in entries.values()):
        msg = "versions that are no objects"
        raise ValueError(msg)
    tags = _object(document, "dist-tags")
    if not all(isinstance(version, str) for version in tags.values()):
        msg = "dist-tags that are no versions"
        raise ValueError(msg)
    all_gone = gone.get("versions") if isinstance(gone, dict) else None
    known = set(times) | ({each for each in all_gone if isinstance(each, str)} if isinstance(all_gone, list) else set())
    versions = {version: _read_version(entry) for version, entry in entries.items()}
    return Packument(versions, tags, frozenset(known - _NO_VERSIONS - set(entries)))


def compute_integrity(archive: Path) -> str:
    """`sha512-…` of a file, as registries state it."""
    with archive.open("rb") as file:
        return "sha512-" + base64.b64encode(hashlib.file_digest(file, "sha512").digest()).decode()


def require_packed(component: Component, archive: Path) -> None:
    """Raise `InputError` unless the tarball is that of the component: npm publishes what the manifest in it says."""
    manifest = _read_manifest(component, archive)
    found = f"{manifest.get('name')}@{manifest.get('version')}" + (", private" if manifest.get("private") else "")
    if found != f"{component.package}@{component.version}":
        raise InputError(
            f"{archive.name} cannot be published as {component}",
            expected=f"the package {component.package}@{component.version}",
            found=found,
            next_step="pack it again, from the commit of this version",
        )


def read_own_access(component: Component, archive: Path, registry: str) -> str:
    """Who may install the package by its own word (`publishConfig.access`), empty where it says nothing.

    Raises `InputError` for a package that is meant for another registry.
    """
    stated = _read_manifest(component, archive).get("publishConfig")
    own = stated if isinstance(stated, dict) else {}
    scope = component.package.partition("/")[0]
    meant = str(own.get(f"{scope}:registry") or own.get("registry") or registry)
    if meant.rstrip("/") != registry.rstrip("/"):
        raise InputError(
            f"{component} is meant for another registry",
            expected=f"{registry}, as release.npm.registry says",
            found=f"{meant}, as publishConfig of its package.json says",
            next_step="make the package private for this release, or take publishConfig.registry out of it",
        )
    return str(own.get("access") or "")


def _read_manifest(component: Component, archive: Path) -> dict[str, Any]:
    try:
        return _read_packed_manifest(archive)
    except (OSError, EOFError, ValueError, KeyError, RecursionError, tarfile.TarError, zlib.error) as error:
        raise InputError(
            f"{archive.name} cannot be published as {component}",
            expected="a tarball of npm with package/package.json",
            found=str(error) or type(error).__name__,
            next_step="pack it again",
        ) from None


def _read_packed_manifest(archive: Path) -> dict[str, Any]:
    with tarfile.open(archive, "r:gz") as tar:
        entry = tar.getmember("package/package.json")
        content = tar.extractfile(entry)
        if content is None or entry.size > _LARGEST_MANIFEST:
            msg = f"a package.json of {entry.size} bytes"
            raise ValueError(msg)
        manifest = json.loads(content.read())
    if not isinstance(manifest, dict):
        msg = "a package.json that is no JSON object"
        raise ValueError(msg)  # noqa: TRY004 - as below
    return manifest


def _object(document: dict[str, Any], key: str) -> dict[str, Any]:
    value = document.get(key, {})
    if not isinstance(value, dict):
        msg = f"{key!r} that is no object"
        raise ValueError(msg)  # noqa: TRY004 - one error for everything that is wrong with the document
    return value


def _read_version(entry: dict[str, Any]) -> PublishedVersion:
    dist = entry.get("dist")
    stated = dist.get("integrity") if isinstance(dist, dict) else None
    integrity = _SHA512.search(stated) if isinstance(stated, str) else None
    commit, deprecated = entry.get("gitHead"), entry.get("deprecated")
    return PublishedVersion(
        integrity[0] if integrity else "",
        commit if isinstance(commit, str) and _COMMIT.fullmatch(commit) else "",
        deprecated if isinstance(deprecated, str) else "",
    )
