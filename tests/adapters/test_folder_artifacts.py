from __future__ import annotations

from pathlib import Path

import pytest

from switchover.adapters.folder_artifacts import FolderArtifacts
from switchover.errors import TargetError


def store_one(folder: Path) -> Path:
    source = folder / "source"
    source.write_bytes(b"bytes")
    FolderArtifacts(folder / "store").put("cart", "1.0.0", "service", source)
    return folder / "store" / "index" / "cart" / "index.json"


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        "{",
        '{"format": 1}',
        '{"format": 1, "artifacts": {}}',
        '{"format": 1, "artifacts": {}, "releases": []}',
        '{"format": 1, "artifacts": {"1.0.0 service": {}}, "releases": {}}',
        '{"format": 1, "artifacts": {}, "releases": {"1.0.0": {"service": "cart"}}}',
        '{"format": 1, "artifacts": {}, "releases": {"1.0.0": 5}}',
    ],
)
def test_a_broken_index_is_named_and_left_alone(tmp_path: Path, content: str) -> None:
    index = store_one(tmp_path)
    index.write_text(content, encoding="utf-8")
    with pytest.raises(TargetError, match="is broken"):
        FolderArtifacts(tmp_path / "store").find("cart", "1.0.0")
    assert index.read_text(encoding="utf-8") == content


@pytest.mark.parametrize("listing", [True, False])
def test_an_index_without_releases_is_named_by_every_question(tmp_path: Path, *, listing: bool) -> None:
    store_one(tmp_path).write_text('{"format": 1, "artifacts": {}}', encoding="utf-8")
    store = FolderArtifacts(tmp_path / "store")
    with pytest.raises(TargetError, match="releases"):
        store.list_releases("cart") if listing else store.find_artifact("cart", "1.0.0", "service")


def test_an_index_of_a_newer_format_is_refused(tmp_path: Path) -> None:
    store_one(tmp_path).write_text('{"format": 2}', encoding="utf-8")
    with pytest.raises(TargetError, match="format 2"):
        FolderArtifacts(tmp_path / "store").find("cart", "1.0.0")


def test_a_store_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file", encoding="utf-8")
    source = tmp_path / "source"
    source.write_bytes(b"bytes")
    with pytest.raises(TargetError, match="cannot be stored"):
        FolderArtifacts(tmp_path / "store").put("cart", "1.0.0", "service", source)


def test_nothing_half_written_stays_behind(tmp_path: Path) -> None:
    index = store_one(tmp_path)
    assert sorted(path.name for path in index.parent.iterdir()) == ["index.json", "lock"]
    assert len(list((tmp_path / "store" / "blobs" / "sha256").iterdir())) == 1
