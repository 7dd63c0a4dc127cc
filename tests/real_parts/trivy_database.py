"""A small vulnerability database in Trivy's own format: advisories that tests make up, found by the real Trivy.

The file is a bbolt database. There is no writer of those for Python, and a tree that never changes needs little of
the format: two meta pages, an empty free list, and one leaf page (or a run of them) for each bucket.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

Tree: TypeAlias = Mapping[str, "Tree | bytes"]

_PAGE_BYTES = 4096
_LEAF, _META, _FREE_LIST = 0x02, 0x04, 0x10
_IS_BUCKET = 1
_MAGIC, _VERSION = 0xED0CDAED, 2
_SCHEMA = 2
_ECOSYSTEM = "npm::made up for tests"
_MOMENT = "2026-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True)
class Advisory:
    """A vulnerability of an npm package in `vulnerable` versions (`<1.2.4`), without a fix where `patched` is empty."""

    id: str
    package: str
    vulnerable: str
    patched: str
    severity: str
    title: str = "made up for tests"


def write_database(cache: Path, advisories: tuple[Advisory, ...]) -> None:
    """Make `cache` a cache folder of Trivy with exactly these advisories."""
    (cache / "db").mkdir(parents=True)
    packages: dict[str, dict[str, Tree | bytes]] = {}
    for each in advisories:
        patched = {"PatchedVersions": [each.patched]} if each.patched else {}
        packages.setdefault(each.package, {})[each.id] = _json({"VulnerableVersions": [each.vulnerable], **patched})
    details = {each.id: _json({"Title": each.title, "Severity": each.severity.upper()}) for each in advisories}
    tree: Tree = {
        "data-source": {_ECOSYSTEM: _json({"ID": "made-up", "Name": "made up for tests", "URL": "http://localhost"})},
        _ECOSYSTEM: packages,
        "vulnerability": details,
    }
    (cache / "db" / "trivy.db").write_bytes(write_bolt(tree))
    metadata = {"Version": _SCHEMA, "NextUpdate": _MOMENT, "UpdatedAt": _MOMENT, "DownloadedAt": _MOMENT}
    (cache / "db" / "metadata.json").write_bytes(_json(metadata))


def write_bolt(tree: Tree) -> bytes:
    """The bytes of a bbolt database: a mapping is a bucket, bytes are a value."""
    pages: list[bytes] = []
    root = _write_bucket(tree, pages)
    after = _next(pages)
    free_list = _header(2, _FREE_LIST, 0, 1).ljust(_PAGE_BYTES, b"\0")
    metas = []
    for number in (0, 1):
        # Magic, version, page size, flags; the root bucket; the free list's page, the first unused page, transaction.
        meta = struct.pack("<IIIIQQQQQ", _MAGIC, _VERSION, _PAGE_BYTES, 0, root, 0, 2, after, number)
        checked = meta + struct.pack("<Q", _checksum(meta))
        metas.append((_header(number, _META, 0, 1) + checked).ljust(_PAGE_BYTES, b"\0"))
    return b"".join([*metas, free_list, *pages])


def _write_bucket(tree: Tree, pages: list[bytes]) -> int:
    """Append the pages of a bucket and of those within; return the number of its first page."""
    items: list[tuple[bytes, bytes, int]] = []
    for key in sorted(tree, key=str.encode):
        value = tree[key]
        if isinstance(value, bytes):
            items.append((key.encode(), value, 0))
        else:
            items.append((key.encode(), struct.pack("<QQ", _write_bucket(value, pages), 0), _IS_BUCKET))
    elements, data = b"", b""
    for index, (name, value, flags) in enumerate(items):
        # The position counts from the element itself.
        position = 16 * (len(items) - index) + len(data)
        elements += struct.pack("<IIII", flags, position, len(name), len(value))
        data += name + value
    number = _next(pages)
    count = -(-(16 + len(elements) + len(data)) // _PAGE_BYTES)
    whole = _header(number, _LEAF, len(items), count) + elements + data
    pages.append(whole.ljust(count * _PAGE_BYTES, b"\0"))
    return number


def _next(pages: list[bytes]) -> int:
    return 3 + sum(map(len, pages)) // _PAGE_BYTES


def _header(number: int, flags: int, count: int, pages: int) -> bytes:
    return struct.pack("<QHHI", number, flags, count, pages - 1)


def _checksum(content: bytes) -> int:
    """FNV-1a with 64 bits."""
    value = 0xCBF29CE484222325
    for byte in content:
        value = ((value ^ byte) * 0x100000001B3) % 2**64
    return value


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True).encode()
