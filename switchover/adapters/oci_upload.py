"""Writes to a registry by the OCI distribution API. What is there already is not sent again."""

from __future__ import annotations

import io
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from switchover.adapters.oci_layout import Blob, Document, ImageLayout, open_blob
from switchover.adapters.oci_registry import OciRegistry
from switchover.adapters.oci_requests import Content, RegistryAnswer, Right
from switchover.errors import TargetError

_AT_ONCE = 3
_OCTETS = "application/octet-stream"
_OK, _CREATED, _ACCEPTED, _NO_CONTENT, _NOT_FOUND = 200, 201, 202, 204, 404
_TAKEN = (_OK, _CREATED, _NO_CONTENT)
_DELETED = (_OK, _ACCEPTED, _NO_CONTENT, _NOT_FOUND)


@dataclass(frozen=True, slots=True)
class Sent:
    """What was not there before. `documents` are manifests and indexes; `size_bytes` is that of all."""

    blobs: int = 0
    documents: int = 0
    size_bytes: int = 0


def send_layout(registry: OciRegistry, archive: Path, layout: ImageLayout) -> Sent:
    """Bring all that the archive holds there by digest: every part before what names it.

    An upload that was broken off before is begun anew. Errors are those of `OciRegistry`, and say what was being sent.
    """
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        blobs = list(threads.map(lambda blob: _send_blob(registry, archive, blob), layout.blobs))
    documents = [_send_missing(registry, document) for document in (*layout.manifests, layout.index)]
    size_bytes = sum(blob.size_bytes for blob, sent in zip(layout.blobs, blobs, strict=True) if sent)
    return Sent(sum(blobs), sum(map(bool, documents)), size_bytes + sum(documents))


def send_document(registry: OciRegistry, document: Document, reference: str) -> None:
    """Let the document be what the tag, or its own digest, stands for."""
    failed = _not_taken(registry, f"{document.media_type} {reference} ({document.digest})")
    content = Content(lambda: io.BytesIO(document.content), len(document.content), document.media_type)
    place = f"manifests/{urllib.parse.quote(reference, safe=':')}"
    answer = registry.requests.ask("PUT", place, Right.PUSH, failed, content=content)
    _require_taken(registry, answer, failed, document.digest)


def delete_tag(registry: OciRegistry, tag: str) -> None:
    """Let the tag stand for nothing. Raises `TargetError` where the registry does not do that."""
    failed = f"the registry {registry.requests.repository.name} does not remove the tag {tag}"
    answer = registry.requests.ask("DELETE", f"manifests/{urllib.parse.quote(tag)}", Right.DELETE, failed)
    if answer.status not in _DELETED:
        raise TargetError(
            failed,
            expected="it to let a tag be deleted by name, not only an image by digest",
            found=answer.explain(),
            next_step="allow it there, or remove the tag by the registry's own means, then repeat",
        )


def _send_blob(registry: OciRegistry, archive: Path, blob: Blob) -> bool:
    """Whether it had to be sent."""
    if registry.read(f"blobs/{blob.digest}", method="HEAD") is not None:
        return False
    failed = _not_taken(registry, f"{blob.digest} ({blob.size_bytes} bytes of {blob.media_type})")
    requests = registry.requests
    begun = requests.ask("POST", "blobs/uploads/", Right.PUSH, failed)
    if begun.status != _ACCEPTED:
        raise requests.refused(failed, begun)
    place = requests.follow(begun, failed)
    place += ("&" if urllib.parse.urlsplit(place).query else "?") + urllib.parse.urlencode({"digest": blob.digest})
    # In one piece: some registries know no pieces, and one takes no second of them.
    content = Content(lambda: open_blob(archive, blob.digest), blob.size_bytes, _OCTETS)
    answer = requests.ask("PUT", place, Right.PUSH, failed, content=content)
    _require_taken(registry, answer, failed, blob.digest)
    return True


def _send_missing(registry: OciRegistry, document: Document) -> int:
    """How many bytes had to be sent."""
    if registry.read_digest(document.digest):
        return 0
    send_document(registry, document, document.digest)
    return len(document.content)


def _require_taken(registry: OciRegistry, answer: RegistryAnswer, failed: str, digest: str) -> None:
    if answer.status not in _TAKEN:
        raise registry.requests.refused(failed, answer)
    said = answer.headers.get("docker-content-digest", digest)
    if said != digest:
        raise TargetError(
            failed,
            expected=digest,
            found=f"{said}, as the registry calls what it took",
            next_step="repeat; if it stays so, something between here and the registry changes what is sent",
        )


def _not_taken(registry: OciRegistry, what: str) -> str:
    repository = registry.requests.repository
    return f"the registry {repository.name} did not take {what} for {repository.path}"
