"""Reads from a registry by the OCI distribution API."""

from __future__ import annotations

import hashlib
import re
import urllib.parse
from collections.abc import Callable, Mapping, Sequence

from switchover.adapters.docker_credentials import find_credentials
from switchover.adapters.oci_requests import USUAL_SECONDS, RegistryAnswer, RegistryRequests, Right
from switchover.decide.image_references import (
    INDEX_TYPES,
    MANIFEST_TYPES,
    Json,
    choose_manifest,
    find_revision,
    parse_repository,
    uses_plain_http,
)
from switchover.errors import TargetError

INSECURE = "SWITCHOVER_INSECURE_REGISTRIES"
ACCEPTED = (*MANIFEST_TYPES, *INDEX_TYPES)
_MOST_PAGES = 50
_NEXT = re.compile(r'<([^>]+)>;\s*rel="?next"?')
_OK, _NOT_FOUND = 200, 404


class OciRegistry:
    """One repository, `host:port/path`. It may be used by several threads.

    TLS is used unless the registry is on this machine or named in `SWITCHOVER_INSECURE_REGISTRIES` (host or
    host:port, with commas between). Every method may raise `InputError` for credentials that do not suffice and
    `TargetError` for a registry that is silent for `seconds`, or has an answer of more than 4 MiB.
    """

    def __init__(self, repository: str, environ: Mapping[str, str], *, seconds: float = USUAL_SECONDS) -> None:
        parsed = parse_repository(repository)
        insecure = filter(None, map(str.strip, environ.get(INSECURE, "").split(",")))
        plain_http = uses_plain_http(parsed.address, insecure)
        credentials = find_credentials(parsed.name, environ)
        self.requests = RegistryRequests(parsed, credentials, plain_http=plain_http, seconds=seconds)
        self._failed = f"the registry {parsed.name} did not say what it has"

    def read(self, place: str, accept: Sequence[str] = (), *, method: str = "GET") -> RegistryAnswer | None:
        """What is at `/v2/<repository>/<place>`; None when there is none."""
        answer = self.requests.ask(method, place, Right.READ, self._failed, accept=accept)
        if answer.status == _OK:
            return answer
        if answer.status == _NOT_FOUND:
            return None
        raise self.requests.refused(self._failed, answer)

    def read_manifest(self, reference: str) -> RegistryAnswer | None:
        """The manifest or index of a tag or digest; its bytes are those of the digest that the registry says."""
        answer = self.read(f"manifests/{urllib.parse.quote(reference, safe=':')}", ACCEPTED)
        if answer is None:
            return None
        digest = digest_of(answer.body)
        said = reference if ":" in reference else answer.headers.get("docker-content-digest", digest)
        if said != digest:
            raise TargetError(
                f"the registry's image {self.requests.repository.path} {reference} is not what it says",
                expected=said,
                found=f"{digest}, by its bytes",
                next_step="repeat; if it stays so, something between here and the registry changes answers",
            )
        return answer

    def read_digest(self, reference: str) -> str:
        """The digest that a tag or digest stands for; empty when there is no such one."""
        answer = self.read(f"manifests/{urllib.parse.quote(reference, safe=':')}", ACCEPTED, method="HEAD")
        if answer is None:
            return ""
        said = answer.headers.get("docker-content-digest", "")
        if not said and (whole := self.read_manifest(reference)) is not None:
            return digest_of(whole.body)
        return said

    def read_revision(self, answer: RegistryAnswer) -> str:
        """The source commit of an image; empty when nobody wrote it."""
        return read_revision(answer.value(), answer.headers.get("content-type", ""), self._read_json)

    def list_tags(self) -> tuple[str, ...]:
        """All tags. Raises `TargetError` for more than 50 pages of them."""
        tags: list[str] = []
        place = "tags/list?n=1000"
        for _ in range(_MOST_PAGES):
            answer = self.read(place)
            if answer is None:
                return tuple(tags)
            tags += [str(tag) for tag in answer.value().get("tags") or ()]
            following = _NEXT.search(answer.headers.get("link", ""))
            if following is None:
                return tuple(tags)
            place = f"tags/list?{urllib.parse.urlsplit(following[1]).query}"
        raise self.requests.silent(self._failed, f"more than {_MOST_PAGES} pages of tags")

    def _read_json(self, kind: str, digest: str) -> Json | None:
        answer = self.read(f"{kind}/{digest}", MANIFEST_TYPES if kind == "manifests" else ())
        return answer.value() if answer is not None else None


def digest_of(content: bytes) -> str:
    """`sha256:…` of these bytes."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def read_revision(manifest: Json, media_type: str, read: Callable[[str, str], Json | None]) -> str:
    """The source commit by the annotation of an index or manifest, else by the label of one of its images.

    `read` gives the document of a kind (`manifests`, `blobs`) and digest, or None.
    """
    if manifest.get("mediaType", media_type) in INDEX_TYPES:
        annotated = find_revision(manifest, {})
        chosen = choose_manifest(manifest)
        inner = None if annotated or chosen is None else read("manifests", chosen)
        if inner is None:
            return annotated
        manifest = inner
    digest = (manifest.get("config") or {}).get("digest")
    config = read("blobs", digest) if digest else None
    return find_revision(manifest, config or {})
