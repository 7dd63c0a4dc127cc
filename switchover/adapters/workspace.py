"""A checkout on disk: npm, pnpm, yarn and uv workspaces, single packages, and the changesets beside them."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from switchover.adapters.checkout_files import CheckoutFiles
from switchover.adapters.manifest_values import (
    match_dependencies,
    read_npm_package,
    read_plain_package,
    read_python_package,
)
from switchover.adapters.workspace_patterns import read_npm_patterns, read_patterns
from switchover.decide.changeset_config import FILE, ChangesetConfig, parse_changeset_config
from switchover.decide.changesets import Changeset, parse_changeset
from switchover.decide.globs import is_negated, matches
from switchover.decide.packages import MANIFEST_NAMES, Kind, Package
from switchover.decide.prerelease import FILE as PRE_FILE
from switchover.decide.prerelease import USED_FOLDER, parse_pre_state
from switchover.errors import InputError
from switchover.operations.release_ports import WorkspaceState

PNPM = "pnpm-workspace.yaml"
LERNA = "lerna.json"
LERNA_DEFAULT = ("packages/*",)
YARN_LOCK = "yarn.lock"
ENGINE = "@changesets/cli"
# Files in .changeset/ that are for readers and tools.
NOT_CHANGESETS = frozenset({"AGENTS.md", "CLAUDE.md", "GEMINI.md"})
# The major of changesets that looks at `workspaces` in package.json before it looks at anything else.
FIRST_BY_MANIFEST = 2
MAJOR = re.compile(r"(?:npm:.*@)?[\s^~>=v]*(?P<major>[0-9]+)")


@dataclass(frozen=True, slots=True)
class FolderWorkspace:
    """The workspace whose root manifest lies in `root`. What a sparse checkout leaves out belongs to it."""

    root: Path

    def read(self, service_folders: tuple[str, ...]) -> WorkspaceState:
        """Packages (with those of `service_folders`) by folder, and changesets by name.

        Raises `InputError` that names the file for everything that cannot be read.
        """
        files = CheckoutFiles(self.root)
        major = _read_engine(files)
        packages = _read_packages(files, service_folders, major)
        if not packages:
            raise InputError(
                f"there is nothing to release in {self.root}",
                expected="a package.json or pyproject.toml with a name, a workspace of such, or a service in a folder "
                "of its own",
                found="none",
                next_step="name the root of the checkout with --repo",
            )
        config, pre = files.read(FILE), files.read(PRE_FILE)
        return WorkspaceState(
            packages,
            _read_changesets(files),
            ChangesetConfig() if config is None else parse_changeset_config(config),
            None if pre is None else parse_pre_state(pre),
            major,
        )

    def read_texts(self, paths: tuple[str, ...]) -> dict[str, str]:
        """Content of the files that exist among `paths`, line ends as they are."""
        files = CheckoutFiles(self.root)
        return {path: text for path in paths if (text := files.read(path)) is not None}


def _read_packages(files: CheckoutFiles, service_folders: tuple[str, ...], major: int | None) -> tuple[Package, ...]:
    patterns = _read_patterns(files, major)
    services = set(service_folders)
    folders = services | _expand(files, patterns)
    if not patterns:
        folders.add("")
    found = [
        package
        for folder in sorted(folders)
        if (package := _read_package(files, folder) or (_read_plain(files, folder) if folder in services else None))
    ]
    seen: dict[str, Package] = {}
    for package in found:
        # Fixtures are often copied with their names. Changesets takes the last of them, too.
        other = seen.get(package.name)
        if other and not (package.private and other.private and Kind.PLAIN not in {package.kind, other.kind}):
            raise InputError(
                f"two packages are called {package.name}",
                expected="every name once in a workspace",
                found=f"{other.manifest} and {package.manifest}",
                next_step="rename one of them; the name beside a file VERSION is that of its folder",
            )
        seen[package.name] = package
    return match_dependencies(tuple(seen.values()))


def _read_package(files: CheckoutFiles, folder: str) -> Package | None:
    prefix = f"{folder}/" if folder else ""
    text = files.read(f"{prefix}package.json")
    if text is not None:
        package = read_npm_package(_parse_json(text, f"{prefix}package.json"), folder)
        if package is not None:
            return package
    text = files.read(f"{prefix}pyproject.toml")
    return read_python_package(_parse_toml(text, f"{prefix}pyproject.toml"), folder) if text is not None else None


def _read_plain(files: CheckoutFiles, folder: str) -> Package | None:
    """The service in a folder where no manifest names a package; None for the root, whose folder has any name.

    Next to a manifest it takes a file VERSION: what lacks a name there is more likely a mistake.
    """
    if not folder or not files.has_folder(folder):
        return None
    text = files.read(f"{folder}/{MANIFEST_NAMES[Kind.PLAIN]}")
    nameless = any(files.has(f"{folder}/{MANIFEST_NAMES[kind]}") for kind in (Kind.NPM, Kind.PYTHON))
    return None if text is None and nameless else read_plain_package(text, folder)


def _read_patterns(files: CheckoutFiles, major: int | None) -> tuple[str, ...]:
    """Globs of member folders: those of the npm packages and those of the Python ones."""
    npm, pnpm, python = _read_npm_globs(files), _read_pnpm_globs(files), _read_python_globs(files)
    if npm and pnpm:
        # One of the two is for other tools. This is how the majors of changesets choose.
        npm_first = major == FIRST_BY_MANIFEST or files.has(YARN_LOCK)
        return (npm if npm_first else pnpm) + python
    return (npm or pnpm or _read_lerna_globs(files)) + python


def _read_npm_globs(files: CheckoutFiles) -> tuple[str, ...]:
    text = files.read("package.json")
    return () if text is None else read_npm_patterns(_parse_json(text, "package.json"), "package.json")


def _read_pnpm_globs(files: CheckoutFiles) -> tuple[str, ...]:
    text = files.read(PNPM)
    return () if text is None else read_patterns(_parse_yaml(text, PNPM), "packages", PNPM)


def _read_python_globs(files: CheckoutFiles) -> tuple[str, ...]:
    text = files.read("pyproject.toml")
    if text is None:
        return ()
    return read_patterns(_parse_toml(text, "pyproject.toml"), "tool.uv.workspace.members", "pyproject.toml")


def _read_lerna_globs(files: CheckoutFiles) -> tuple[str, ...]:
    text = files.read(LERNA)
    document = _parse_json(text, LERNA) if text is not None else {"useWorkspaces": True}
    if document.get("useWorkspaces") is True:
        return ()
    return read_patterns(document, "packages", LERNA) or LERNA_DEFAULT


def _expand(files: CheckoutFiles, patterns: Iterable[str]) -> set[str]:
    folders: set[str] = set()
    for pattern in patterns:
        negated = is_negated(pattern)
        plain = pattern[negated:].removeprefix("./").rstrip("/")
        if plain in {"", "."}:
            folders.add("")
        elif negated:
            folders = {folder for folder in folders if not matches(plain, folder)}
        else:
            folders |= files.find_folders(plain)
    return folders


def _read_changesets(files: CheckoutFiles) -> tuple[Changeset, ...]:
    """Those that no prerelease has used first, each kind by name."""
    found: list[Changeset] = []
    for folder in ("", USED_FOLDER):
        for name in files.list_files(f".changeset/{folder}".rstrip("/")):
            if (
                not name.endswith(".md")
                or name.startswith(".")
                or name in NOT_CHANGESETS
                or name.lower() == "readme.md"
            ):
                continue
            path = f".changeset/{folder}{name}"
            found.append(parse_changeset(f"{folder}{name.removesuffix('.md')}", files.read(path) or "", file=path))
    return tuple(found)


def _read_engine(files: CheckoutFiles) -> int | None:
    """The major of changesets that the root manifest asks for, 2 for older ones; None where it says nothing."""
    text = files.read("package.json")
    manifest = _parse_json(text, "package.json") if text is not None else {}
    for section in ("devDependencies", "dependencies"):
        stated = manifest.get(section)
        wanted = stated.get(ENGINE) if isinstance(stated, dict) else None
        if isinstance(wanted, str) and wanted.startswith("catalog:"):
            wanted = _read_catalog(files, wanted.removeprefix("catalog:"))
        match = MAJOR.match(wanted) if isinstance(wanted, str) else None
        if match is not None:
            return max(2, int(match["major"]))
    return None


def _read_catalog(files: CheckoutFiles, name: str) -> Any:
    """What pnpm's catalog of this name says about changesets; an empty name is the default one."""
    text = files.read(PNPM)
    document = _parse_yaml(text, PNPM) if text is not None else {}
    catalogs = document.get("catalogs")
    catalog = catalogs.get(name) if name and isinstance(catalogs, dict) else document.get("catalog")
    return catalog.get(ENGINE) if isinstance(catalog, dict) else None


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
    import yaml  # noqa: PLC0415 - it takes long, and only pnpm needs it

    try:
        document = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:
        raise _refuse(file, "YAML", " ".join(str(error).split())) from error
    if document is not None and not isinstance(document, dict):
        raise _refuse(file, "a YAML mapping", type(document).__name__)
    return document or {}


def _refuse(file: str, expected: str, found: str) -> InputError:
    return InputError(f"{file} cannot be read", expected=expected, found=found, next_step="correct the file")
