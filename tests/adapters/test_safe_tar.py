from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from switchover.adapters.safe_tar import extract_inside


def archive(folder: Path, *members: tarfile.TarInfo) -> Path:
    place = folder / "made.tar"
    with tarfile.open(place, "w") as tar:
        for member in members:
            member.size = 3 if member.isreg() else 0
            tar.addfile(member, io.BytesIO(b"abc") if member.isreg() else None)
    return place


def link(name: str, target: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = tarfile.SYMTYPE, target
    return member


def test_what_stays_inside_is_extracted(tmp_path: Path) -> None:
    made = archive(tmp_path, tarfile.TarInfo("bin/run"), link("bin/link", "run"))
    with tarfile.open(made) as tar:
        extract_inside(tar, tmp_path / "out")
    assert (tmp_path / "out/bin/link").read_bytes() == b"abc"


@pytest.mark.parametrize(
    "member", [tarfile.TarInfo("../out-of-it"), link("link", "../../out-of-it")], ids=["file", "link"]
)
def test_what_would_leave_the_folder_is_refused(tmp_path: Path, member: tarfile.TarInfo) -> None:
    with tarfile.open(archive(tmp_path, member)) as tar, pytest.raises(tarfile.TarError):
        extract_inside(tar, tmp_path / "inner" / "out")
    assert not (tmp_path / "inner/out-of-it").exists()
