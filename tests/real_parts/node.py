"""Programs of npm packages, installed from a committed lock into the cache; Node and npm come from the virtual
environment, so that no Node of the machine matters."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.cluster.cache import cached

GROUPS = Path(__file__).parent / "npm"
BIN = Path(sys.executable).parent
_INSTALL_SECONDS = 300


def installed(group: str) -> Path:
    """The folder whose `node_modules` hold what `tests/real_parts/npm/<group>/package-lock.json` names."""
    source = GROUPS / group
    files = {name: (source / name).read_bytes() for name in ("package.json", "package-lock.json")}
    return cached(f"npm-{group}", files.values(), lambda folder: _install(files, folder))


def environment() -> Mapping[str, str]:
    """The variables with which node and npm are those of the virtual environment, before any of the system's."""
    return {**os.environ, "PATH": os.pathsep.join([str(BIN), os.environ.get("PATH", os.defpath)])}


def _install(files: Mapping[str, bytes], folder: Path) -> None:
    for name, content in files.items():
        (folder / name).write_bytes(content)
    subprocess.run(
        [str(BIN / "npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
        cwd=folder,
        env=dict(environment()),
        check=True,
        timeout=_INSTALL_SECONDS,
    )
