"""The port `Releases` on a registry of images: a version is a tag, and what runs is its digest."""

from __future__ import annotations

import hashlib
import re
import urllib.parse
from collections.abc import Mapping

from switchover.adapters.docker_credentials import find_credentials
from switchover.adapters.oci_registry import OciRegistry, RegistryAnswer
from switchover.decide.image_references import (
    INDEX_TYPES,
    MANIFEST_TYPES,
    choose_manifest,
    find_revision,
    parse_repository,
    tags_of,
    uses_plain_http,
    versions_of,
)
from switchover.errors import InputError, TargetError
from switchover.model import Artifact, Release

INSECURE = "SWITCHOVER_INSECURE_REGISTRIES"
KIND = "image"
_ACCEPTED = (*MANIFEST_TYPES, *INDEX_TYPES)
_LISTED = 10
_MOST_PAGES = 50
_NEXT = re.compile(r'<([^>]+)>;\s*rel="?next"?')


class RegistryImages:
    """`repositories` maps services to `host:port/path`.

    TLS is used unless the registry is on this machine or named in `SWITCHOVER_INSECURE_REGISTRIES` (host or
    host:port, with commas between). Every method may raise `InputError` for credentials that do not suffice and
    `TargetError` for a registry that does not answer.
    """

    def __init__(self, repositories: Mapping[str, str], environ: Mapping[str, str]) -> None:
        self._repositories = repositories
        self._environ = environ
        self._registries: dict[str, OciRegistry] = {}

    def find(self, service: str, version: str) -> Release | None:
        """The image that the tag (`1.4.2`, else `v1.4.2`) names now, by digest; None when there is no such tag."""
        registry = self._open(service)
        for tag in tags_of(version):
            answer = registry.read(f"manifests/{urllib.parse.quote(tag)}", _ACCEPTED)
            if answer is not None:
                return _release(registry, service, version, answer)
        return None

    def list_releases(self, service: str) -> tuple[Release, ...]:
        """The ten newest; tags that are no version are none."""
        found = (self.find(service, version) for version in versions_of(self._list_tags(service))[:_LISTED])
        return tuple(each for each in found if each is not None)

    def check(self, release: Release) -> None:
        """Raise `TargetError` unless the registry has the image with this digest."""
        if self._open(release.service).read(f"manifests/{release.artifact.digest}", _ACCEPTED, method="HEAD") is None:
            raise TargetError(
                f"the image of {release.service} {release.version} is not in the registry",
                expected=f"{self._repositories[release.service]}@{release.artifact.digest}",
                found="no such digest",
                next_step="push it again, or choose a version that is there",
            )

    def _list_tags(self, service: str) -> list[str]:
        tags: list[str] = []
        path = "tags/list?n=1000"
        for _ in range(_MOST_PAGES):
            answer = self._open(service).read(path)
            if answer is None:
                break
            tags += [str(tag) for tag in answer.value().get("tags") or ()]
            following = _NEXT.search(answer.headers.get("link", ""))
            if following is None:
                break
            path = f"tags/list?{urllib.parse.urlsplit(following[1]).query}"
        return tags

    def _open(self, service: str) -> OciRegistry:
        if service not in self._repositories:
            raise InputError(
                f"no repository of images is known for {service}",
                expected=f"one of {', '.join(sorted(self._repositories)) or 'none'}",
                found=service,
                next_step=f"set `image` in services.{service}.kubernetes",
            )
        if service not in self._registries:
            repository = parse_repository(self._repositories[service])
            insecure = filter(None, map(str.strip, self._environ.get(INSECURE, "").split(",")))
            plain_http = uses_plain_http(repository.address, insecure)
            credentials = find_credentials(repository.name, self._environ)
            self._registries[service] = OciRegistry(repository, credentials, plain_http=plain_http)
        return self._registries[service]


def _release(registry: OciRegistry, service: str, version: str, answer: RegistryAnswer) -> Release:
    digest = f"sha256:{hashlib.sha256(answer.body).hexdigest()}"
    said = answer.headers.get("docker-content-digest", digest)
    if said != digest:
        raise TargetError(
            f"the registry's image of {service} {version} is not what it says",
            expected=said,
            found=f"{digest}, by its bytes",
            next_step="repeat; if it stays so, something between here and the registry changes answers",
        )
    artifact = Artifact(service, version, KIND, digest, len(answer.body))
    return Release(service, version, artifact, _read_revision(registry, answer))


def _read_revision(registry: OciRegistry, answer: RegistryAnswer) -> str:
    manifest = answer.value()
    if manifest.get("mediaType", answer.headers.get("content-type")) in INDEX_TYPES:
        annotated = find_revision(manifest, {})
        chosen = choose_manifest(manifest)
        inner = None if annotated or chosen is None else registry.read(f"manifests/{chosen}", MANIFEST_TYPES)
        if inner is None:
            return annotated
        manifest = inner.value()
    digest = (manifest.get("config") or {}).get("digest")
    config = registry.read(f"blobs/{digest}") if digest else None
    return find_revision(manifest, config.value() if config is not None else {})
