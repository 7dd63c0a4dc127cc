"""An image as people name it: `registry/repository:tag`, or by digest."""

from __future__ import annotations

import re
from dataclasses import dataclass

from switchover.decide.image_references import is_tag
from switchover.errors import InputError

_REPOSITORY = re.compile(r"([A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9a-f:]+\])(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class NamedImage:
    """`repository` is `host:port/path`; `reference` a digest (`sha256:…`) where one was given, else a tag."""

    repository: str
    reference: str


def parse_named_image(text: str) -> NamedImage:
    """The image that is named; without a tag it is `latest`, and a digest counts more than a tag beside it.

    Raises `InputError` for what names none.
    """
    name, has_digest, digest = text.partition("@")
    # A colon before the last slash is that of a port.
    path, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:
        path, tag = name, "latest"
    reference = digest if has_digest else tag
    right = _DIGEST.fullmatch(digest) if has_digest else is_tag(tag)
    if not right or not _REPOSITORY.fullmatch(path):
        raise InputError(
            f"{text!r} names no image",
            expected="registry/repository, registry/repository:tag or registry/repository@sha256:…",
            found=repr(path) if right else repr(reference),
            next_step="correct it",
        )
    return NamedImage(path, reference)
