"""The files of one release, under the names that people download them by."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from switchover.decide.components import ComponentKind
from switchover.decide.release_files import (
    CHECKSUMS,
    MANIFEST,
    ReleaseFile,
    name_archive,
    write_checksums,
    write_manifest,
)
from switchover.operations.making import SIGNATURE
from switchover.operations.progress import Progress
from switchover.operations.release_ports import ReleaseTools

SBOM = "sbom"
_ENDINGS = {SBOM: ".cdx.json", SIGNATURE: ".sigstore.json"}


def gather_files(tools: ReleaseTools, progress: Progress, folder: Path) -> tuple[Path, ...]:
    """What the store has of this release: its artifact, SBOM and signature.

    An image is left out: it is pulled from its registry, or lies in the store.
    """
    component = progress.component
    archive = name_archive(component)
    kinds = [component.kind.value] if component.kind is not ComponentKind.IMAGE else []
    found: list[Path] = []
    folder.mkdir(parents=True, exist_ok=True)
    for kind in (*kinds, *_ENDINGS):
        artifact = tools.store.find_artifact(component.name, component.version, kind)
        if artifact is not None:
            place = folder / f"{archive}{_ENDINGS.get(kind, '')}"
            if not place.exists():
                shutil.copyfile(tools.store.fetch(artifact.digest), place)
            found.append(place)
    return tuple(found)


def write_files(tools: ReleaseTools, progress: Progress, files: tuple[Path, ...], folder: Path) -> tuple[Path, ...]:
    """Write `manifest.json` and `SHA256SUMS` about the files below `folder`; return all of them."""
    component = progress.component
    place = folder / f"{name_archive(component)}.files"
    place.mkdir(parents=True, exist_ok=True)
    described = [_describe(file) for file in files]
    published = progress.published
    manifest = place / MANIFEST
    text = write_manifest(
        component,
        progress.pending.commit,
        tools.builder_name,
        described,
        published.reference if published else "",
        published.digest if published else "",
    )
    manifest.write_text(text, encoding="utf-8")
    checksums = place / CHECKSUMS
    checksums.write_text(write_checksums([*described, _describe(manifest)]), encoding="utf-8")
    return (*files, manifest, checksums)


def _describe(file: Path) -> ReleaseFile:
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    kind = next((kind for kind, ending in _ENDINGS.items() if file.name.endswith(ending)), "artifact")
    return ReleaseFile(
        file.name, "manifest" if file.name == MANIFEST else kind, f"sha256:{digest}", file.stat().st_size
    )
