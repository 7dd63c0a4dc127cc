"""The artifact store in a local folder: bytes by digest, and one index per name, replaced atomically.

blobs/sha256/<digest>      the bytes, read-only
index/<name>/index.json    what was stored and what was released under that name
index/<name>/lock          held for the moments of a change
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import quote

from semver import Version

from switchover.decide.version_text import parse_version
from switchover.errors import InputError, TargetError
from switchover.model import Artifact, Release

FORMAT = 1
CHUNK_BYTES = 1 << 20
Index = dict[str, Any]


class FolderArtifacts:
    """Port `ArtifactStore` on a folder, which is made with the first `put`. Any number of processes may use it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, name: str, version: str, kind: str, source: Path) -> Artifact:
        """Store a file. The same bytes again are a no-op, other bytes an `InputError` with both digests."""
        with _disk_errors(f"{name} {version} cannot be stored"):
            digest, size_bytes = self._store_bytes(source)
            artifact = Artifact(name, version, kind, digest, size_bytes)
            with self._changing(name) as index:
                key = f"{version} {kind}"
                known = index["artifacts"].setdefault(key, asdict(artifact))
                if known["digest"] != digest:
                    raise InputError(
                        f"{name} {version} ({kind}) is already stored with other bytes",
                        expected=known["digest"],
                        found=digest,
                        next_step="release a new version; what was released never changes",
                    )
        return artifact

    def fetch(self, digest: str) -> Path:
        """The file with this digest, checked; `TargetError` when it is missing or its bytes are not these."""
        path = self._blob(digest)
        if not path.is_file():
            raise TargetError(
                f"the artifact {digest} cannot be fetched",
                expected=f"a file in {self._folder}",
                found="none",
                next_step="release it again",
            )
        found = _read_digest(path)
        if found != digest:
            raise TargetError(
                f"the artifact {path} is damaged",
                expected=digest,
                found=found,
                next_step=f"delete {path}, release again",
            )
        return path

    def publish(self, release: Release) -> None:
        """Enter a release into the index, last of all. Repeating is a no-op; a change is refused."""
        self.fetch(release.artifact.digest)
        with (
            _disk_errors(f"{release.service} {release.version} cannot be published"),
            self._changing(release.service) as index,
        ):
            known = index["releases"].setdefault(release.version, asdict(release))
            if _read_release(known) != release:
                raise InputError(
                    f"{release.service} {release.version} is already released",
                    expected=f"{known['artifact']['digest']} from {known['source_commit'][:12]}",
                    found=f"{release.artifact.digest} from {release.source_commit[:12]}",
                    next_step="release a new version; what was released never changes",
                )

    def find(self, service: str, version: str) -> Release | None:
        """The published release, or None."""
        known = self._read_index(service)["releases"].get(version)
        return _read_release(known) if known else None

    def list_releases(self, service: str) -> tuple[Release, ...]:
        """All published releases of a service, newest version first."""
        releases = [_read_release(known) for known in self._read_index(service)["releases"].values()]
        return tuple(sorted(releases, key=_read_order, reverse=True))

    def check(self, release: Release) -> None:
        """Raise `TargetError` unless the release's bytes are here, as many as recorded and with their digest."""
        size_bytes = self.fetch(release.artifact.digest).stat().st_size
        if size_bytes != release.artifact.size_bytes:
            raise TargetError(
                f"the artifact of {release.service} {release.version} is not what was recorded",
                expected=f"{release.artifact.size_bytes} bytes",
                found=f"{size_bytes} bytes",
                next_step="publish the release again",
            )

    def find_artifact(self, name: str, version: str, kind: str) -> Artifact | None:
        """What `put` stored under these three, or None."""
        known = self._read_index(name)["artifacts"].get(f"{version} {kind}")
        return Artifact(**known) if known else None

    def forget(self, name: str, version: str) -> None:
        """Drop what `put` stored of a version that was never entered; of one that was, nothing. Bytes stay."""
        with _disk_errors(f"{name} {version} cannot be forgotten"), self._changing(name) as index:
            if version not in index["releases"]:
                kept = {key: known for key, known in index["artifacts"].items() if known["version"] != version}
                index["artifacts"] = kept

    def _blob(self, digest: str) -> Path:
        return self._folder / "blobs" / "sha256" / digest.removeprefix("sha256:")

    def _index_folder(self, name: str) -> Path:
        # A name of dots alone would leave the folder, and quoting keeps dots.
        return self._folder / "index" / quote(name, safe="@").replace(".", "%2E")

    def _store_bytes(self, source: Path) -> tuple[str, int]:
        digest, size_bytes = _read_digest(source), source.stat().st_size
        blob = self._blob(digest)
        if blob.is_file() and _read_digest(blob) == digest:
            return digest, size_bytes
        blob.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=blob.parent, delete=False) as copy:
            try:
                with source.open("rb") as stream:
                    shutil.copyfileobj(stream, copy, CHUNK_BYTES)
                copy.flush()
                os.fsync(copy.fileno())
                os.fchmod(copy.fileno(), 0o444)
                os.replace(copy.name, blob)  # noqa: PTH105 - the file is still open here
            except BaseException:
                Path(copy.name).unlink(missing_ok=True)
                raise
        return digest, size_bytes

    @contextmanager
    def _changing(self, name: str) -> Iterator[Index]:
        """The index of `name`, exclusively; what was changed in it is kept unless an error leaves."""
        folder = self._index_folder(name)
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            before = self._read_index(name)
            index = json.loads(json.dumps(before))
            yield index
            if index != before:
                _replace(folder / "index.json", json.dumps(index, indent=2, sort_keys=True) + "\n")

    def _read_index(self, name: str) -> Index:
        path = self._index_folder(name) / "index.json"
        if not path.is_file():
            return {"format": FORMAT, "name": name, "artifacts": {}, "releases": {}}
        try:
            index: Index = json.loads(path.read_text(encoding="utf-8"))
            known = index["format"]
            if known == FORMAT:
                _check_entries(index)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise TargetError(
                f"{path} is broken",
                expected=f"an index of format {FORMAT}",
                found=f"no {error}" if isinstance(error, KeyError) else str(error),
                next_step="restore the file from a backup; the artifacts themselves are whole",
            ) from error
        if known != FORMAT:
            raise TargetError(
                f"{path} cannot be read",
                expected=f"format {FORMAT}",
                found=f"format {known}",
                next_step="use the version of switchover that wrote it",
            )
        return index


def _check_entries(index: Index) -> None:
    """Read every entry once, so that a broken one is found here and nowhere else."""
    for known in index["artifacts"].values():
        Artifact(**known)
    for known in index["releases"].values():
        _read_release(known)


def _read_release(known: dict[str, Any]) -> Release:
    return Release(known["service"], known["version"], Artifact(**known["artifact"]), known["source_commit"])


def _read_order(release: Release) -> tuple[bool, Version, str]:
    """Semantic versions by precedence; anything else below them, by its letters."""
    version = parse_version(release.version)
    return version is not None, version or Version(0), release.version


def _read_digest(path: Path) -> str:
    with path.open("rb") as stream:
        return f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"


def _replace(path: Path, text: str) -> None:
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as copy:
        copy.write(text)
        copy.flush()
        os.fsync(copy.fileno())
    Path(copy.name).replace(path)


@contextmanager
def _disk_errors(failed: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise TargetError(
            failed,
            expected="a folder that can be written to, with room in it",
            found=f"{error.strerror or error} ({error.filename or 'the artifact store'})",
            next_step="make room or correct the rights, then run again",
        ) from error
