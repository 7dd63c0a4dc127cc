"""The files of one release, under the names that people download them by."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping, Sequence
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
from switchover.operations.making import SBOM, SIGNATURE, folder_of
from switchover.operations.progress import Progress
from switchover.operations.release_ports import ReleaseTools

_ENDINGS = {SBOM: ".cdx.json", SIGNATURE: ".sigstore.json"}


def gather_files(tools: ReleaseTools, progress: Progress, folder: Path) -> tuple[Path, ...]:
    """What the store has of this release: its artifact, SBOM and signature.

    An image is left out: it is pulled from its registry, or lies in the store.
    """
    component = progress.component
    archive = name_archive(component)
    kinds = [component.kind.value] if component.kind is not ComponentKind.IMAGE else []
    found: list[Path] = []
    folder = folder_of(component, folder)
    for kind in (*kinds, *_ENDINGS):
        artifact = tools.store.find_artifact(component.name, component.version, kind)
        if artifact is not None:
            place = folder / f"{archive}{_ENDINGS.get(kind, '')}"
            if not place.exists():
                shutil.copyfile(tools.store.fetch(artifact.digest), place)
            found.append(place)
    return tuple(found)


def write_files(
    tools: ReleaseTools, group: Sequence[Progress], files: Mapping[str, tuple[Path, ...]], folder: Path
) -> tuple[Path, ...]:
    """Write a manifest for each component of a tag, and `SHA256SUMS` of everything; return all files.

    `files` are those of the components by name.
    """
    place = folder_of(group[0].component, folder)
    found = [file for each in group for file in files[each.component.name]]
    for progress in group:
        name = MANIFEST if len(group) == 1 else f"{name_archive(progress.component)}.{MANIFEST}"
        published = progress.published
        text = write_manifest(
            progress.component,
            progress.pending.commit,
            tools.builder_name,
            [_describe(file) for file in files[progress.component.name]],
            published.reference if published else "",
            published.digest if published else "",
        )
        (place / name).write_text(text, encoding="utf-8")
        found.append(place / name)
    checksums = place / CHECKSUMS
    checksums.write_text(write_checksums([_describe(file) for file in found]), encoding="utf-8")
    return (*found, checksums)


def _describe(file: Path) -> ReleaseFile:
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    kind = next((kind for kind, ending in _ENDINGS.items() if file.name.endswith(ending)), "artifact")
    return ReleaseFile(
        file.name, "manifest" if file.name.endswith(MANIFEST) else kind, f"sha256:{digest}", file.stat().st_size
    )
