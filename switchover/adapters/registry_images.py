"""The port `Releases` on a registry of images: a version is a tag, and what runs is its digest."""

from __future__ import annotations

from collections.abc import Mapping

from switchover.adapters.oci_registry import OciRegistry, digest_of
from switchover.decide.image_references import tags_of, versions_of
from switchover.errors import InputError, TargetError
from switchover.model import Artifact, Release

KIND = "image"
_LISTED = 10


class RegistryImages:
    """`repositories` maps services to `host:port/path`.

    Every method may raise `InputError` for credentials that do not suffice and `TargetError` for a registry that does
    not answer.
    """

    def __init__(self, repositories: Mapping[str, str], environ: Mapping[str, str]) -> None:
        self._repositories = repositories
        self._environ = environ
        self._registries: dict[str, OciRegistry] = {}

    def find(self, service: str, version: str) -> Release | None:
        """The image that the tag (`1.4.2`, else `v1.4.2`) names now, by digest; None when there is no such tag."""
        registry = self._open(service)
        for tag in tags_of(version):
            answer = registry.read_manifest(tag)
            if answer is not None:
                artifact = Artifact(service, version, KIND, digest_of(answer.body), len(answer.body))
                return Release(service, version, artifact, registry.read_revision(answer))
        return None

    def list_releases(self, service: str) -> tuple[Release, ...]:
        """The ten newest; tags that are no version are none."""
        found = (self.find(service, version) for version in versions_of(self._open(service).list_tags())[:_LISTED])
        return tuple(each for each in found if each is not None)

    def check(self, release: Release) -> None:
        """Raise `TargetError` unless the registry has the image with this digest."""
        if not self._open(release.service).read_digest(release.artifact.digest):
            raise TargetError(
                f"the image of {release.service} {release.version} is not in the registry",
                expected=f"{self._repositories[release.service]}@{release.artifact.digest}",
                found="no such digest",
                next_step="push it again, or choose a version that is there",
            )

    def _open(self, service: str) -> OciRegistry:
        if service not in self._repositories:
            raise InputError(
                f"no repository of images is known for {service}",
                expected=f"one of {', '.join(sorted(self._repositories)) or 'none'}",
                found=service,
                next_step=f"set `image` in services.{service}.kubernetes",
            )
        if service not in self._registries:
            self._registries[service] = OciRegistry(self._repositories[service], self._environ)
        return self._registries[service]
