"""Unpacking archives without letting a member out of the folder, on every Python 3.11: its filters came with 3.11.4."""

from __future__ import annotations

import tarfile
from pathlib import Path


def extract_inside(tar: tarfile.TarFile, folder: Path) -> None:
    """Extract everything below `folder`. Raises `tarfile.TarError` for a member or a link that would leave it."""
    if hasattr(tarfile, "data_filter"):
        tar.extractall(folder, filter="data")
        return
    top = folder.resolve()
    for member in tar.getmembers():
        place = (top / member.name).resolve()
        target = place.parent / member.linkname if member.issym() else top / member.linkname
        leaves = member.islnk() or member.issym()
        if not place.is_relative_to(top) or (leaves and not target.resolve().is_relative_to(top)) or member.isdev():
            msg = f"{member.name!r} would be outside the destination"
            raise tarfile.ExtractError(msg)
        member.mode = (member.mode & 0o755) | 0o600 if not member.isdir() else 0o755
        tar.extract(member, top, set_attrs=not leaves)
