"""Build one service into a folder that runs by itself: `python3 tools/bundle.py SERVICE DESTINATION`.

The folder holds the service's own files, the shared HTTP server, and below `assets/` the published files of
every package of this repository that the service depends on, directly or through another one.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LEFT_OUT = shutil.ignore_patterns("__pycache__", "CHANGELOG.md")


def read_manifest(folder: Path) -> dict[str, Any]:
    """The package.json of `folder`."""
    manifest: dict[str, Any] = json.loads((folder / "package.json").read_text(encoding="utf-8"))
    return manifest


def find_packages() -> dict[str, Path]:
    """The folders of the repository's packages by their name."""
    return {read_manifest(path.parent)["name"]: path.parent for path in ROOT.glob("packages/*/package.json")}


def list_dependencies(folder: Path, packages: dict[str, Path]) -> list[Path]:
    """Folders of the packages that the one in `folder` needs, sorted; packages from elsewhere are not ours."""
    needed: set[Path] = set()
    waiting = [folder]
    while waiting:
        for name in read_manifest(waiting.pop()).get("dependencies", {}):
            package = packages.get(name)
            if package is not None and package not in needed:
                needed.add(package)
                waiting.append(package)
    return sorted(needed)


def bundle(service: str, destination: Path) -> None:
    """Fill `destination` anew."""
    source = ROOT / "services" / service
    if destination.exists():
        shutil.rmtree(destination)
    shutil.copytree(source, destination, ignore=LEFT_OUT)
    shutil.copytree(ROOT / "libraries" / "acme_web", destination / "acme_web", ignore=LEFT_OUT)
    for package in list_dependencies(source, find_packages()):
        assets = destination / "assets" / package.name
        assets.mkdir(parents=True)
        for name in read_manifest(package)["files"]:
            shutil.copyfile(package / name, assets / name)


def main() -> int:
    """Read the arguments and build."""
    services = sorted(path.parent.name for path in ROOT.glob("services/*/package.json"))
    parser = argparse.ArgumentParser(description="Build one service into a folder that runs by itself.")
    parser.add_argument("service", choices=services)
    parser.add_argument("destination", type=Path)
    arguments = parser.parse_args()
    bundle(arguments.service, arguments.destination)
    return 0


if __name__ == "__main__":
    sys.exit(main())
