"""Builds and scans that are done once for the same commit and the same bytes: they are what a release spends its time
on, they change nothing outside of its own folder, and that they give the same bytes each time is a test of its own."""

from __future__ import annotations

import hashlib
import pickle
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from switchover.decide.components import Component, Service
from switchover.decide.packages import Package
from switchover.operations.release_ports import Builder, Packer, ReleaseTools, Scanned, Scanner, SourceScanner


def remember(tools: ReleaseTools, memory: Path) -> ReleaseTools:
    """The same tools, whose builder, packer and scanner look into the folder `memory` first."""
    memory.mkdir(parents=True, exist_ok=True)
    return replace(
        tools,
        builder=_Builder(tools.builder, memory),
        packer=_Packer(tools.packer, memory),
        scanner=_Scanner(tools.scanner, memory),
        source_scanner=tools.source_scanner and _SourceScanner(tools.source_scanner, memory),
    )


class _Builder:
    def __init__(self, inner: Builder, memory: Path) -> None:
        self._inner, self._memory = inner, memory

    def build(
        self, component: Component, service: Service | None, bundled: tuple[Package, ...], commit: str, folder: Path
    ) -> Path:
        place = self._memory / f"{component.name}-{commit}"
        return _take(place, folder, lambda: self._inner.build(component, service, bundled, commit, folder))


class _Packer:
    def __init__(self, inner: Packer, memory: Path) -> None:
        self._inner, self._memory = inner, memory

    def pack(self, component: Component, commit: str, folder: Path) -> Path:
        place = self._memory / f"{component.name.replace('/', '-')}-{commit}"
        return _take(place, folder, lambda: self._inner.pack(component, commit, folder))


class _Scanner:
    def __init__(self, inner: Scanner, memory: Path) -> None:
        self._inner, self._memory = inner, memory

    def scan(self, archive: Path, folder: Path) -> Scanned:
        place = self._memory / hashlib.sha256(archive.name.encode() + archive.read_bytes()).hexdigest()
        return _take_scan(place, folder, lambda: self._inner.scan(archive, folder))


class _SourceScanner:
    def __init__(self, inner: SourceScanner, memory: Path) -> None:
        self._inner, self._memory = inner, memory

    def scan_commit(self, commit: str, folder: Path) -> Scanned:
        return _take_scan(self._memory / f"sources-{commit}", folder, lambda: self._inner.scan_commit(commit, folder))


def _take_scan(place: Path, folder: Path, scan: Callable[[], Scanned]) -> Scanned:
    known = place / "scanned.pickle"
    if not known.exists():
        fresh = scan()
        place.mkdir()
        for file in (fresh.report, fresh.sarif, fresh.sbom):
            if file is not None:
                shutil.copy(file, place)
        known.write_bytes(pickle.dumps(fresh))
        return fresh
    scanned: Scanned = pickle.loads(known.read_bytes())  # noqa: S301 written right here
    folder.mkdir(parents=True, exist_ok=True)
    reports: dict[str, Any] = {
        name: Path(shutil.copy(place / file.name, folder))
        for name in ("report", "sarif", "sbom")
        if (file := getattr(scanned, name)) is not None
    }
    return replace(scanned, **reports)


def _take(place: Path, folder: Path, make: Callable[[], Path]) -> Path:
    if not place.exists():
        made = make()
        place.mkdir()
        shutil.copy(made, place)
        return made
    (archive,) = place.iterdir()
    return Path(shutil.copy(archive, folder))
