"""What every `ArtifactStore` promises."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from switchover.adapters.folder_artifacts import FolderArtifacts
from switchover.errors import InputError, TargetError
from switchover.model import Release
from switchover.operations.release_ports import ReleaseStore
from tests.fakes import InMemoryArtifactStore

Open = Callable[[], ReleaseStore]


@pytest.fixture(params=["in memory", "in a folder"])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    if request.param == "in a folder":
        return lambda: FolderArtifacts(tmp_path / "store")
    store = InMemoryArtifactStore(tmp_path / "store")
    return lambda: store


def write(folder: Path, content: bytes) -> Path:
    file = folder / hashlib.sha256(content).hexdigest()[:8]
    file.write_bytes(content)
    return file


def released(store: ReleaseStore, folder: Path, version: str, content: bytes = b"bytes") -> Release:
    artifact = store.put("cart", version, "service", write(folder, content))
    release = Release("cart", version, artifact, "c" * 40)
    store.publish(release)
    return release


def test_an_artifact_is_named_by_its_content_and_comes_back_whole(open_store: Open, tmp_path: Path) -> None:
    artifact = open_store().put("@acme/ui", "1.0.0", "npm", write(tmp_path, b"bytes"))
    assert artifact.digest == f"sha256:{hashlib.sha256(b'bytes').hexdigest()}"
    assert artifact.size_bytes == 5
    assert open_store().fetch(artifact.digest).read_bytes() == b"bytes"
    assert open_store().find_artifact("@acme/ui", "1.0.0", "npm") == artifact
    assert open_store().find_artifact("@acme/ui", "1.0.0", "signature") is None


def test_the_same_bytes_again_change_nothing_and_other_bytes_are_refused_with_both_digests(
    open_store: Open, tmp_path: Path
) -> None:
    first = open_store().put("cart", "1.0.0", "service", write(tmp_path, b"one"))
    assert open_store().put("cart", "1.0.0", "service", write(tmp_path, b"one")) == first
    with pytest.raises(InputError) as refused:
        open_store().put("cart", "1.0.0", "service", write(tmp_path, b"two"))
    assert refused.value.problem.expected == first.digest
    assert refused.value.problem.found == f"sha256:{hashlib.sha256(b'two').hexdigest()}"
    assert open_store().find_artifact("cart", "1.0.0", "service") == first


def test_a_version_has_one_artifact_of_each_kind(open_store: Open, tmp_path: Path) -> None:
    service = open_store().put("cart", "1.0.0", "service", write(tmp_path, b"bytes"))
    signature = open_store().put("cart", "1.0.0", "signature", write(tmp_path, b"signed"))
    again = open_store().put("cart", "1.0.0", "npm", write(tmp_path, b"bytes"))
    assert (service.kind, signature.kind, again.kind) == ("service", "signature", "npm")
    for kind, artifact in {"service": service, "signature": signature, "npm": again}.items():
        assert open_store().find_artifact("cart", "1.0.0", kind) == artifact
    assert open_store().find_artifact("cart", "1.0.1", "service") is None
    with pytest.raises(InputError, match=r"cart 1\.0\.0 \(signature\)"):
        open_store().put("cart", "1.0.0", "signature", write(tmp_path, b"signed again"))


def test_only_what_was_published_is_found(open_store: Open, tmp_path: Path) -> None:
    open_store().put("cart", "1.0.0", "service", write(tmp_path, b"bytes"))
    assert open_store().find("cart", "1.0.0") is None
    assert open_store().list_releases("cart") == ()
    release = released(open_store(), tmp_path, "1.0.0")
    open_store().publish(release)
    assert open_store().find("cart", "1.0.0") == release
    assert open_store().find("other", "1.0.0") is None


def test_a_published_release_never_changes(open_store: Open, tmp_path: Path) -> None:
    release = released(open_store(), tmp_path, "1.0.0")
    with pytest.raises(InputError, match="already released"):
        open_store().publish(Release("cart", "1.0.0", release.artifact, "d" * 40))
    assert open_store().find("cart", "1.0.0") == release


def test_a_release_without_its_artifact_is_refused(open_store: Open, tmp_path: Path) -> None:
    release = released(open_store(), tmp_path, "1.0.0")
    open_store().fetch(release.artifact.digest).unlink()
    with pytest.raises(TargetError, match="cannot be fetched"):
        open_store().publish(release)


def test_releases_are_listed_by_version_newest_first(open_store: Open, tmp_path: Path) -> None:
    for version in ("1.9.0", "1.10.0", "1.10.0-rc.1"):
        released(open_store(), tmp_path, version)
    assert [each.version for each in open_store().list_releases("cart")] == ["1.10.0", "1.10.0-rc.1", "1.9.0"]


def test_damaged_bytes_are_never_handed_out_and_a_new_put_repairs_them(open_store: Open, tmp_path: Path) -> None:
    artifact = open_store().put("cart", "1.0.0", "service", write(tmp_path, b"bytes"))
    stored = open_store().fetch(artifact.digest)
    stored.chmod(0o644)
    stored.write_bytes(b"other")
    with pytest.raises(TargetError, match="damaged"):
        open_store().fetch(artifact.digest)
    open_store().put("cart", "1.0.0", "service", write(tmp_path, b"bytes"))
    assert open_store().fetch(artifact.digest).read_bytes() == b"bytes"


def test_many_writers_at_once_lose_nothing(open_store: Open, tmp_path: Path) -> None:
    versions = [f"1.{minor}.0" for minor in range(20)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda version: released(open_store(), tmp_path, version, version.encode()), versions))
    assert {each.version for each in open_store().list_releases("cart")} == set(versions)


@pytest.mark.parametrize("name", ["..", "../../outside", "@acme/ui", "a b"])
def test_no_name_leaves_the_store(open_store: Open, tmp_path: Path, name: str) -> None:
    open_store().put(name, "1.0.0", "npm", write(tmp_path, b"bytes"))
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == {"store"}
    assert open_store().find_artifact(name, "1.0.0", "npm") is not None


def test_what_was_stored_and_never_released_can_be_forgotten_and_stored_anew(open_store: Open, tmp_path: Path) -> None:
    store = open_store()
    store.put("cart", "1.0.0", "service", write(tmp_path, b"first"))
    store.put("cart", "1.0.0", "signature", write(tmp_path, b"signed"))
    released(store, tmp_path, "1.0.1")
    for version in ("1.0.0", "1.0.1", "9.9.9"):
        open_store().forget("cart", version)
    assert open_store().find_artifact("cart", "1.0.0", "service") is None
    assert open_store().find_artifact("cart", "1.0.0", "signature") is None
    assert open_store().find_artifact("cart", "1.0.1", "service") is not None
    second = open_store().put("cart", "1.0.0", "service", write(tmp_path, b"second"))
    assert open_store().fetch(second.digest).read_bytes() == b"second"
