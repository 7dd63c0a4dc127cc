"""The port `Destination` on registries of images: a version is a tag that never moves, on an index of platforms."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from switchover.adapters.oci_layout import Document, ImageLayout, open_blob, read_layout, refusing
from switchover.adapters.oci_registry import OciRegistry, digest_of, read_revision
from switchover.adapters.oci_requests import LARGEST_BYTES, RegistryAnswer
from switchover.adapters.oci_upload import delete_tag, send_document, send_layout
from switchover.decide.components import Component
from switchover.decide.image_references import (
    Json,
    find_version,
    is_tag,
    pointers_of,
    tags_of,
    version_of,
    versions_of,
)
from switchover.decide.outcome import Done, Outcome, Skipped
from switchover.errors import InputError, TargetError
from switchover.operations.shared_places import Published

_SECONDS = 60.0
_AT_ONCE = 4
_MOST_POINTERS = 200
_MOST_VERSIONS = 500


class ImageRegistry:
    """`repositories` maps services to `host:port/path`. Plain HTTP and errors are those of `OciRegistry`.

    Registries know no compare-and-swap for tags: each is asked right before it is set, and read back afterwards.
    `seconds` is how long a registry may be silent, while it takes a large layer to its place for example.
    """

    def __init__(
        self, repositories: Mapping[str, str], environ: Mapping[str, str], *, seconds: float = _SECONDS
    ) -> None:
        self._repositories = repositories
        self._environ = environ
        self._seconds = seconds
        self._registries: dict[str, OciRegistry] = {}

    @property
    def moves_pointers(self) -> bool:
        """Who may push may move tags."""
        return True

    def find(self, component: Component) -> Published | None:
        """The image that the version's tag names, by the digest of its bytes."""
        found = self._find(component)
        if found is None:
            return None
        return self._describe(component, digest_of(found.body), self._open(component).read_revision(found))

    def identify(self, component: Component, archive: Path) -> Published:
        """The index in the archive; the commit is read as `find` reads it. `TargetError` for another file."""
        return self._identify(component, archive, read_layout(archive))

    def stage(self, component: Component, archive: Path) -> Outcome:
        """Send what is missing by digest: configurations and layers, then manifests, then the index. No tag."""
        sent = send_layout(self._open(component), archive, read_layout(archive))
        if not sent.size_bytes:
            return Skipped("stage", "already there")
        return Done("stage", f"{sent.blobs} blobs, {sent.size_bytes} bytes sent")

    def publish(self, component: Component, archive: Path) -> Published:
        """Put the version's tag on the index, once all that it names is there."""
        layout = read_layout(archive)
        wanted = self._identify(component, archive, layout)
        tag = _require_tag(tags_of(component.version)[0])
        if self._is_published(component, wanted):
            return wanted
        registry = self._open(component)
        send_layout(registry, archive, layout)
        # Asked again, because sending may have taken long.
        if not self._is_published(component, wanted):
            send_document(registry, layout.index, tag)
            if not self._is_published(component, wanted):
                raise _not_kept(registry, tag, wanted.digest, "")
        return wanted

    def list_versions(self, component: Component) -> tuple[str, ...]:
        """The versions among the tags, newest first."""
        return versions_of(self._open(component).list_tags())

    def read_pointers(self, component: Component) -> dict[str, str]:
        """The tags that are no version. Of more than 200 those that look most like `latest` and `1.4`.

        The version behind one is first looked for where its annotation says, else among the newest 500.
        """
        registry = self._open(component)
        tags = registry.list_tags()
        known: dict[str, str] = {}

        def ask(version: str) -> str:
            """Digest of a version, asked for once."""
            if version not in known:
                tag = next(tag for tag in tags_of(version) if tag in tags)
                known[version] = registry.read_digest(tag)
            return known[version]

        with ThreadPoolExecutor(_AT_ONCE) as threads:
            pointers = pointers_of(tags)[:_MOST_POINTERS]
            found = dict(zip(pointers, threads.map(registry.read_manifest, pointers), strict=True))
        versions = versions_of(tags)
        behind: dict[str, str] = {}
        for pointer, answer in found.items():
            if answer is None:
                continue
            digest = digest_of(answer.body)
            stated = find_version(answer.value())
            candidates = [*(version for version in versions if version == stated), *versions[:_MOST_VERSIONS]]
            behind[pointer] = next((version for version in candidates if ask(version) == digest), "")
        return behind

    def move_pointer(self, component: Component, pointer: str, version: str) -> None:
        """Put the tag on the version's image, or remove it, where the registry does that (`TargetError`)."""
        registry = self._open(component)
        if version_of(_require_tag(pointer)):
            raise InputError(
                f"the tag {pointer} of {component.name} does not move",
                expected="a moving tag, such as latest or 1.4",
                found="the tag of a version",
                next_step="choose another tag",
            )
        if version:
            self._point(registry, component, pointer, version)
        elif digest := registry.read_digest(pointer):
            delete_tag(registry, pointer)
            if left := registry.read_digest(pointer):
                raise _not_kept(registry, pointer, "no such tag", left)
            if not registry.read_digest(digest):
                # Registries are known that delete the image behind the tag, and so its versions.
                raise _not_kept(registry, pointer, f"{digest} still there, without the tag", "neither of them")

    def withdraw(self, component: Component, reason: str) -> Outcome:
        """Say what there is no way to do: a registry of images has no word against a version."""
        found = self.find(component)
        if found is None:
            return Skipped("withdraw", f"{self._name(component)} is not there")
        return Skipped(
            "withdraw",
            f"a registry of images can neither carry a warning ({reason!r}) nor take a version back: "
            f"{self._name(component)} and {found.reference} can be pulled as before",
        )

    def _find(self, component: Component) -> RegistryAnswer | None:
        registry = self._open(component)
        found = (registry.read_manifest(tag) for tag in tags_of(component.version) if is_tag(tag))
        return next((answer for answer in found if answer is not None), None)

    def _identify(self, component: Component, archive: Path, layout: ImageLayout) -> Published:
        manifests = {each.digest: each for each in layout.manifests}

        def read(kind: str, digest: str) -> Json | None:
            if kind == "manifests":
                return _parse(manifests[digest]) if digest in manifests else None
            with refusing(archive), open_blob(archive, digest) as stream:
                read_value: Json = json.loads(stream.read(LARGEST_BYTES))
            return read_value

        index = layout.index
        return self._describe(component, index.digest, read_revision(_parse(index), index.media_type, read))

    def _describe(self, component: Component, digest: str, commit: str) -> Published:
        return Published(f"{self._repositories[component.name]}@{digest}", digest, commit)

    def _is_published(self, component: Component, wanted: Published) -> bool:
        """Whether the version is there with these bytes; `InputError` when it is there with others."""
        found = self._find(component)
        if found is not None and digest_of(found.body) != wanted.digest:
            raise InputError(
                f"{self._name(component)} is published already, with other bytes than these",
                expected=digest_of(found.body),
                found=wanted.digest,
                next_step="give what you have now a version of its own; a published one stays as it is",
            )
        return found is not None

    def _point(self, registry: OciRegistry, component: Component, pointer: str, version: str) -> None:
        found = self._find(replace(component, version=version))
        if found is None:
            raise InputError(
                f"the tag {pointer} of {component.name} cannot stand for {version}",
                expected=f"a version that is in {self._repositories[component.name]}",
                found=f"no tag {tags_of(version)[0]}",
                next_step="release that version first, or choose another one",
            )
        digest = digest_of(found.body)
        if registry.read_digest(pointer) == digest:
            return
        media_type = str(found.value().get("mediaType") or found.headers.get("content-type", ""))
        send_document(registry, Document(digest, media_type, found.body), pointer)
        if (now := registry.read_digest(pointer)) != digest:
            raise _not_kept(registry, pointer, digest, now)

    def _name(self, component: Component) -> str:
        return f"{self._repositories[component.name]}:{tags_of(component.version)[0]}"

    def _open(self, component: Component) -> OciRegistry:
        name = component.name
        if name not in self._repositories:
            raise InputError(
                f"{name} has no repository to be published in",
                expected=f"one of {', '.join(sorted(self._repositories)) or 'none'}",
                found=name,
                next_step="set `repository` in release.images",
            )
        if name not in self._registries:
            self._registries[name] = OciRegistry(self._repositories[name], self._environ, seconds=self._seconds)
        return self._registries[name]


def _parse(document: Document) -> Json:
    value: Json = json.loads(document.content)
    return value


def _require_tag(text: str) -> str:
    if not is_tag(text):
        raise InputError(
            f"{text!r} cannot be a tag of an image",
            expected="at most 128 letters, digits, dots, hyphens and underscores, not beginning with a dot or hyphen",
            found=f"{len(text)} characters",
            next_step="choose a shorter or plainer version or tag",
        )
    return text


def _not_kept(registry: OciRegistry, tag: str, expected: str, found: str) -> TargetError:
    repository = registry.requests.repository
    return TargetError(
        f"the registry {repository.name} took a change of {repository.path}:{tag} and does not show it",
        expected=expected,
        found=found or "no such tag",
        next_step="repeat; if it stays so, somebody else changes the same tag",
    )
