"""A checkout on disk: npm, pnpm and uv workspaces, single packages, and the changesets beside them."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from switchover.adapters.manifest_values import read_npm_package, read_python_package
from switchover.adapters.workspace_patterns import read_npm_patterns, read_patterns
from switchover.decide.changeset_config import FILE, ChangesetConfig, parse_changeset_config
from switchover.decide.changesets import Changeset, parse_changeset
from switchover.decide.packages import Package
from switchover.errors import InputError
from switchover.operations.release_ports import WorkspaceState

# Files in .changeset/ that are for readers and tools.
NOT_CHANGESETS = frozenset({"readme.md", "agents.md", "claude.md", "gemini.md"})


@dataclass(frozen=True, slots=True)
class FolderWorkspace:
    """The workspace whose root manifest lies in `root`."""

    root: Path

    def read(self, service_folders: tuple[str, ...]) -> WorkspaceState:
        """Packages (with those of `service_folders`) by folder, and changesets by name.

        Raises `InputError` that names the file for everything that cannot be read.
        """
        packages = self._read_packages(service_folders)
        if not packages:
            raise InputError(
                f"there is nothing to release in {self.root}",
                expected="a package.json or pyproject.toml with a name, or a workspace of such",
                found="none",
                next_step="name the root of the checkout with --repo",
            )
        return WorkspaceState(packages, self._read_changesets(), self._read_config())

    def read_texts(self, paths: tuple[str, ...]) -> dict[str, str]:
        """Content of the files that exist among `paths`, line ends as they are."""
        return {path: text for path in paths if (text := self._read(path)) is not None}

    def _read(self, path: str) -> str | None:
        file = self.root / path
        if not file.is_file():
            return None
        try:
            with file.open(encoding="utf-8", newline="") as stream:
                return stream.read()
        except UnicodeDecodeError as error:
            raise InputError(
                f"{path} cannot be read", expected="UTF-8", found=str(error), next_step="correct the file"
            ) from error

    def _read_packages(self, service_folders: tuple[str, ...]) -> tuple[Package, ...]:
        patterns = self._read_patterns()
        folders = set(service_folders) | set(self._expand(patterns))
        if not patterns:
            folders.add("")
        found = [package for folder in sorted(folders) if (package := self._read_package(folder))]
        seen: dict[str, Package] = {}
        for package in found:
            if package.name in seen:
                raise InputError(
                    f"two packages are called {package.name}",
                    expected="every name once in a workspace",
                    found=f"{seen[package.name].manifest} and {package.manifest}",
                    next_step="rename one of them",
                )
            seen[package.name] = package
        return tuple(found)

    def _read_package(self, folder: str) -> Package | None:
        prefix = f"{folder}/" if folder else ""
        text = self._read(f"{prefix}package.json")
        if text is not None:
            package = read_npm_package(_parse_json(text, f"{prefix}package.json"), folder)
            if package is not None:
                return package
        text = self._read(f"{prefix}pyproject.toml")
        return read_python_package(_parse_toml(text, f"{prefix}pyproject.toml"), folder) if text is not None else None

    def _read_patterns(self) -> tuple[str, ...]:
        """Globs of member folders, from whichever root manifest states them."""
        patterns: tuple[str, ...] = ()
        if (text := self._read("package.json")) is not None:
            patterns += read_npm_patterns(_parse_json(text, "package.json"), "package.json")
        if (text := self._read("pnpm-workspace.yaml")) is not None:
            document = _parse_yaml(text, "pnpm-workspace.yaml")
            patterns += read_patterns(document, "packages", "pnpm-workspace.yaml")
        if (text := self._read("pyproject.toml")) is not None:
            document = _parse_toml(text, "pyproject.toml")
            patterns += read_patterns(document, "tool.uv.workspace.members", "pyproject.toml")
        return patterns

    def _expand(self, patterns: Iterable[str]) -> set[str]:
        folders: set[str] = set()
        for pattern in patterns:
            plain = pattern.removeprefix("!").removeprefix("./").rstrip("/")
            if plain in {"", "."}:
                folders.add("")
                continue
            matches = {
                path.relative_to(self.root).as_posix()
                for path in self.root.glob(plain)
                if path.is_dir() and "node_modules" not in path.relative_to(self.root).parts
            }
            folders = folders - matches if pattern.startswith("!") else folders | matches
        return folders

    def _read_changesets(self) -> tuple[Changeset, ...]:
        folder = self.root / ".changeset"
        if (pre := self._read(".changeset/pre.json")) is not None:
            raise InputError(
                "this repository is in the pre-release mode of changesets",
                expected="no .changeset/pre.json",
                found=f"mode {_parse_json(pre, '.changeset/pre.json').get('mode')!r}",
                next_step="leave the mode with `changeset pre exit` and `changeset version` first",
            )
        names = sorted(path.name for path in folder.glob("*.md") if path.is_file()) if folder.is_dir() else []
        return tuple(
            parse_changeset(name.removesuffix(".md"), self._read(f".changeset/{name}") or "", file=f".changeset/{name}")
            for name in names
            if not name.startswith(".") and name.lower() not in NOT_CHANGESETS
        )

    def _read_config(self) -> ChangesetConfig:
        text = self._read(FILE)
        return ChangesetConfig() if text is None else parse_changeset_config(text)


def _parse_json(text: str, file: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError as error:
        raise _refuse(file, "JSON", str(error)) from error
    if not isinstance(document, dict):
        raise _refuse(file, "a JSON object", type(document).__name__)
    return document


def _parse_toml(text: str, file: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _refuse(file, "TOML", str(error)) from error


def _parse_yaml(text: str, file: str) -> dict[str, Any]:
    try:
        document = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:
        raise _refuse(file, "YAML", " ".join(str(error).split())) from error
    if document is not None and not isinstance(document, dict):
        raise _refuse(file, "a YAML mapping", type(document).__name__)
    return document or {}


def _refuse(file: str, expected: str, found: str) -> InputError:
    return InputError(f"{file} cannot be read", expected=expected, found=found, next_step="correct the file")
