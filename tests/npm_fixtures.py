"""npm packages for tests: tarballs as npm packs them, and the destination that they go to."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import psutil
import pytest

from switchover.adapters.npm_registry import NpmRegistry, Patience
from switchover.decide.components import Component, ComponentKind
from switchover.operations.shared_places import Published
from tests.real_parts.node import environment
from tests.real_parts.scripted_proxy import ScriptedProxy, scripted_proxy
from tests.real_parts.verdaccio import Verdaccio

_NUMBERS = count()
_MARK = "NPM_CASE"
REASON = "It loses carts."
SHORT = Patience(answer=20.0, npm=60.0, looks=(0.0, 0.05, 0.1))
"""For tests: what is there is there at once."""


def npm_component(name: str, version: str) -> Component:
    """A component that is an npm package."""
    return Component(name, name, version, ComponentKind.NPM, "packages/ui", f"{name}@{version}")


def write_tarball(folder: Path, component: Component, content: str, **manifest: Any) -> Path:
    """A tarball of the component with one module; `manifest` goes into its package.json. Same input, same bytes."""
    stated = {"name": component.package, "version": component.version, "main": "index.js", **manifest}
    files = {"package/package.json": json.dumps(stated), "package/index.js": content}
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            tar.addfile(entry, io.BytesIO(text.encode()))
    archive = folder / f"package-{next(_NUMBERS)}.tgz"
    archive.write_bytes(gzip.compress(raw.getvalue(), mtime=0))
    return archive


@dataclass(frozen=True, slots=True)
class NpmCase:
    """A package of its own in the registry at `url` (a proxy's, perhaps), for whoever has `token`."""

    url: str
    token: str
    folder: Path
    name: str = field(default_factory=lambda: f"@acme/ui-{next(_NUMBERS)}")
    environ: Mapping[str, str] = field(default_factory=environment)

    def find_npm(self) -> list[psutil.Process]:
        """The running npm of this case and its children; node hides its arguments, but not its environment."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get(_MARK) == self.name and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except (psutil.Error, OSError):
                continue
        return found

    def open(self, *, patience: Patience = SHORT, token: str | None = None, **settings: Any) -> NpmRegistry:
        """The destination; `settings` are those of `NpmRegistry`."""
        wanted = {"access": "public", "provenance": False, "root": self.folder, "environ": self.environ, **settings}
        wanted["environ"] = {**wanted["environ"], _MARK: self.name}
        return NpmRegistry(self.url, token=self.token if token is None else token, patience=patience, **wanted)

    def component(self, version: str) -> Component:
        """A version of the package."""
        return npm_component(self.name, version)

    def archive(self, component: Component, content: str) -> Path:
        """A tarball of it."""
        return write_tarball(self.folder, component, content)


def npm_case(verdaccio: Verdaccio, folder: Path) -> NpmCase:
    """A package of its own in Verdaccio, for somebody who may publish it."""
    return NpmCase(verdaccio.url, verdaccio.token, folder)


@pytest.fixture
def proxy(verdaccio: Verdaccio) -> Iterator[ScriptedProxy]:
    """A proxy of this test's own in front of Verdaccio."""
    with scripted_proxy(verdaccio.url) as proxy:
        yield proxy


@pytest.fixture
def proxied(proxy: ScriptedProxy, verdaccio: Verdaccio, tmp_path: Path) -> NpmCase:
    """A package of its own, reached through the proxy."""
    return NpmCase(proxy.url, verdaccio.token, tmp_path)


@pytest.fixture
def npm_package(verdaccio: Verdaccio, tmp_path: Path) -> NpmCase:
    """A package of its own in Verdaccio."""
    return npm_case(verdaccio, tmp_path)


def publish(case: NpmCase, version: str = "1.0.0", content: str = "one", **settings: Any) -> Published:
    """Publish a version with that content; `settings` are those of `NpmRegistry`."""
    component = case.component(version)
    return case.open(**settings).publish(component, case.archive(component, content))


def read_packument(case: NpmCase) -> dict[str, Any]:
    """What the registry says of the package, read past our own code."""
    address = f"{case.url}{case.name.replace('/', '%2f')}"
    with urllib.request.urlopen(address, timeout=20) as answer:  # noqa: S310 our own registry
        packument: dict[str, Any] = json.load(answer)
    return packument
