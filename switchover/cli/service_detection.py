"""Which services a repository seems to have, and how each is probably started."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_LONGEST_NAME = 40


@dataclass(frozen=True, slots=True)
class DetectedService:
    """A service with its folder (relative, `.` for the repository itself), its package and its command.

    `is_guess` says that nothing in the folder told the command.
    """

    name: str
    path: str
    package: str
    command: tuple[str, ...]
    is_guess: bool


def detect_services(root: Path) -> tuple[DetectedService, ...]:
    """The folders with a manifest below services/, by name; else the repository itself if it is a package."""
    parent = root / "services"
    folders = sorted(each for each in parent.iterdir() if each.is_dir()) if parent.is_dir() else []
    found = [service for folder in folders if (service := _detect(root, folder))]
    if found:
        return tuple({service.name: service for service in found}.values())
    own = _detect(root, root)
    return (own,) if own else ()


def _detect(root: Path, folder: Path) -> DetectedService | None:
    for manifest in (folder / "package.json", folder / "pyproject.toml"):
        document = _read(manifest)
        package = _package_name(document)
        if package:
            command = _command(folder, document)
            guess = ("{python}", "-m", _name(folder.name).replace("-", "_"))
            path = folder.relative_to(root).as_posix()
            return DetectedService(_name(folder.name), path, package, command or guess, is_guess=command is None)
    return None


def _read(manifest: Path) -> dict[str, Any]:
    try:
        text = manifest.read_text(encoding="utf-8")
        document = json.loads(text) if manifest.suffix == ".json" else tomllib.loads(text)
    except (OSError, ValueError):
        return {}  # absent, or not a manifest
    return document if isinstance(document, dict) else {}


def _package_name(document: dict[str, Any]) -> str:
    project = document.get("project")
    name = project.get("name") if isinstance(project, dict) else document.get("name")
    return name if isinstance(name, str) else ""


def _command(folder: Path, document: dict[str, Any]) -> tuple[str, ...] | None:
    modules = sorted(entry.parent.name for entry in folder.glob("*/__main__.py"))
    own = folder.name.replace("-", "_")
    if modules:
        return ("{python}", "-m", own if own in modules else modules[0])
    for script in ("main.py", "app.py", "server.py"):
        if (folder / script).is_file():
            return ("{python}", script)
    if isinstance(document.get("scripts"), dict) and "start" in document["scripts"]:
        return ("npm", "start")
    main = document.get("main")
    return ("node", main) if isinstance(main, str) and (folder / main).is_file() else None


def _name(folder: str) -> str:
    """A folder's name as a service's: lower case, digits and hyphens, beginning with a letter."""
    plain = re.sub(r"[^a-z0-9]+", "-", folder.lower()).strip("-")
    return (plain if plain[:1].isalpha() else f"service-{plain}".rstrip("-"))[:_LONGEST_NAME].rstrip("-")
