"""The layers of an image, rewritten so that the same files give the same bytes."""

from __future__ import annotations

import gzip
import hashlib
import shutil
import tarfile
import tempfile
from pathlib import Path, PurePosixPath
from typing import IO

from switchover.adapters.oci_layout_writer import LayerFile

_CHUNK_BYTES = 1 << 20
# Another level gives other bytes, and so another digest of what was released.
_LEVEL = 6
# Times of the file beside its modification; nothing that runs reads them.
_OTHER_TIMES = ("atime", "ctime", "mtime")
_GZIP = b"\x1f\x8b"


def rewrite_layer(layer: IO[bytes], folder: Path, time: int) -> LayerFile:
    """Write a layer into `folder`, compressed, with no time later than `time` (seconds of the epoch) in it.

    One that has no later time is the same tar as before: it may be shared with images that others made.
    """
    plain = _unpack(layer, folder)
    with tarfile.open(plain, "r:") as tar:
        late = any(member.mtime > time for member in tar)
    if late:
        plain = _clamp(plain, time)
    with plain.open("rb") as stream:
        diff_id = f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"
    packed = plain.with_suffix(".gz")
    with (
        plain.open("rb") as stream,
        packed.open("wb") as out,
        gzip.GzipFile(filename="", mode="wb", fileobj=out, compresslevel=_LEVEL, mtime=0) as compressed,
    ):
        shutil.copyfileobj(stream, compressed, _CHUNK_BYTES)
    plain.unlink()
    with packed.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return LayerFile(packed.rename(folder / digest), f"sha256:{digest}", diff_id)


def _unpack(layer: IO[bytes], folder: Path) -> Path:
    """The layer as a tar in `folder`: engines save it so, or compressed as it came from a registry."""
    start = layer.read(len(_GZIP))
    layer.seek(0)
    with tempfile.NamedTemporaryFile(dir=folder, delete=False) as plain:
        source = gzip.GzipFile(fileobj=layer) if start == _GZIP else layer
        shutil.copyfileobj(source, plain, _CHUNK_BYTES)
    return Path(plain.name)


def _clamp(layer: Path, time: int) -> Path:
    clamped = layer.with_suffix(".clamped")
    with tarfile.open(layer) as tar, tarfile.open(clamped, "w", format=tarfile.PAX_FORMAT) as out:
        # A hard link comes after its file, whose name may be later in the alphabet.
        for member in sorted(tar, key=lambda one: (one.islnk(), PurePosixPath(one.name).parts)):
            content = tar.extractfile(member) if member.isreg() else None
            member.mtime = min(int(member.mtime), time)
            member.pax_headers = {name: value for name, value in member.pax_headers.items() if name not in _OTHER_TIMES}
            out.addfile(member, content)
    layer.unlink()
    return clamped
