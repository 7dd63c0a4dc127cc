"""The files that go with a release beside its artifact: their names, and what `manifest.json` and `SHA256SUMS` say."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from switchover.decide.components import Component, ComponentKind
from switchover.errors import InputError

MANIFEST = "manifest.json"
CHECKSUMS = "SHA256SUMS"
_ENDINGS = {ComponentKind.NPM: ".tgz", ComponentKind.IMAGE: ".image.tar"}


@dataclass(frozen=True, slots=True)
class ReleaseFile:
    """One file of a release. `digest` is `sha256:` and 64 hexadecimal digits, `size_bytes` its length."""

    name: str
    kind: str
    digest: str
    size_bytes: int


def name_archive(component: Component) -> str:
    """The file name of the component's artifact: `acme-ui-1.2.0.tgz` for the npm package `@acme/ui`."""
    plain = component.name.removeprefix("@").replace("/", "-")
    return f"{plain}-{component.version}{_ENDINGS.get(component.kind, '.tar.gz')}"


def refuse_same_files(components: Iterable[Component]) -> None:
    """Raise `InputError` for two archives of one name on one page."""
    seen: dict[tuple[str, str], Component] = {}
    for component in components:
        other = seen.setdefault((component.tag, name_archive(component)), component)
        if other is not component and component.kind is not ComponentKind.TAG:
            raise InputError(
                f"the archives of {other.name} and {component.name} have one name",
                expected="archives that can be told apart on the page of a release",
                found=name_archive(component),
                next_step="rename one of the packages, or give each its own tag with release.tag_format",
            )


def write_manifest(
    component: Component, commit: str, builder: str, files: Iterable[ReleaseFile], reference: str, digest: str
) -> str:
    """The text of `manifest.json`: every artifact with digest, size, source commit and builder.

    `reference` and `digest` are those of the destination, empty where the bytes are the files alone.
    """
    document = {
        "name": component.name,
        "version": component.version,
        "kind": component.kind.value,
        "tag": component.tag,
        "source_commit": commit,
        "builder": builder,
        "published": {"reference": reference, "digest": digest} if reference else None,
        "artifacts": [
            {"name": file.name, "kind": file.kind, "digest": file.digest, "size_bytes": file.size_bytes}
            for file in sorted(files, key=lambda file: file.name)
        ],
    }
    return json.dumps(document, indent=2) + "\n"


def write_checksums(files: Iterable[ReleaseFile]) -> str:
    """The text of `SHA256SUMS`, as `sha256sum --check` reads it."""
    return "".join(
        f"{file.digest.removeprefix('sha256:')}  {file.name}\n" for file in sorted(files, key=lambda file: file.name)
    )
