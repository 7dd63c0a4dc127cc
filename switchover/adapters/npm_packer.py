"""Tarballs of npm packages, by npm itself."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from switchover.adapters.commit_export import export_commit, read_commit_time
from switchover.adapters.npm_program import find_npm, run_npm
from switchover.adapters.workspace import FolderWorkspace
from switchover.decide.components import Component
from switchover.decide.manifests import edit_json
from switchover.decide.ranges import WORKSPACE
from switchover.decide.workspace_ranges import plan_concrete_ranges
from switchover.errors import InputError, TargetError

MANIFEST = "package.json"
LOCK = "package-lock.json"
_SCRIPTS = frozenset({"prepublishOnly", "prepack", "prepare"})


class NpmPacker:
    """Port `Packer` on `npm pack`, run in an export of the commit out of the checkout in `root`.

    The scripts `prepublishOnly`, `prepack` and `prepare` run, as they would before `npm publish`; for them everything
    in the commit is exported, and installed by `npm ci --ignore-scripts` where the package or the repository has a
    package-lock.json. Nothing is installed of other lock files: a package whose scripts need those is packed after a
    build of its own. `SOURCE_DATE_EPOCH` is the commit's time, so that scripts can write the same bytes twice.

    `workspace:` ranges are made concrete by the versions that the commit has, as pnpm does; no other byte of the
    manifest changes. `hidden` names variables of `environ` that no script may see. `seconds` bounds each run of npm.
    """

    def __init__(
        self,
        root: Path,
        environ: Mapping[str, str] | None = None,
        *,
        hidden: frozenset[str] = frozenset(),
        seconds: float = 300.0,
    ) -> None:
        self._root = root
        self._environ = {key: value for key, value in (environ or os.environ).items() if key not in hidden}
        self._seconds = seconds

    def pack(self, component: Component, commit: str, folder: Path) -> Path:
        """Write one `.tgz` into `folder`. The same commit gives the same bytes.

        Raises `MissingProgramError` without npm, `InputError` for a package that npm or its scripts refuse,
        `TargetError` when they do not end.
        """
        program = find_npm(self._environ, f"{component} cannot be packed")
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="switchover-pack-") as made:
            export, packed = Path(made) / "export", Path(made) / "packed"
            export.mkdir()
            packed.mkdir()
            paths = (component.folder,) if component.folder else ()
            export_commit(self._root, commit, paths, export)
            home = export / component.folder
            manifest = _read_manifest(component, home)
            scripts = _SCRIPTS & set(_scripts(manifest))
            environment = {**self._environ, "SOURCE_DATE_EPOCH": str(read_commit_time(self._root, commit))}
            if paths and (scripts or _names_workspace(manifest)):
                export_commit(self._root, commit, (), export)
            if scripts:
                self._install(program, component, export, environment)
            _make_concrete(export, home, component, manifest)
            if "prepublishOnly" in scripts:
                self._run(program, component, ["run", "prepublishOnly"], home, environment)
            # What a script says is shown when it fails.
            asked = ["pack", f"--pack-destination={packed}", "--no-foreground-scripts", "--no-dry-run"]
            self._run(program, component, asked, home, environment)
            return _take(component, packed, folder)

    def _install(self, program: str, component: Component, export: Path, environment: Mapping[str, str]) -> None:
        place = next((each for each in (export / component.folder, export) if (each / LOCK).is_file()), None)
        if place is not None:
            asked = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            self._run(program, component, asked, place, environment)

    def _run(
        self, program: str, component: Component, asked: list[str], folder: Path, environment: Mapping[str, str]
    ) -> None:
        settings = ["--no-update-notifier", "--no-color", "--logs-max=0"]
        answer = run_npm(program, asked + settings, folder=folder, environment=environment, seconds=self._seconds)
        if answer.status is None:
            raise TargetError(
                f"npm {asked[0]} of {component} does not end",
                expected=f"an end within {self._seconds:g} s",
                found="none",
                next_step=f"run npm {asked[0]} in {component.folder or 'the repository'} and see what it waits for",
            )
        if answer.status != 0:
            said = " ".join(f"{answer.printed} {answer.complained}".split())[-600:]
            raise InputError(
                f"npm {asked[0]} of {component} failed",
                expected="exit status 0",
                found=f"exit status {answer.status}: {said}",
                next_step=f"run npm {asked[0]} in {component.folder or 'the repository'} of a fresh checkout; "
                "what scripts need has to be in package-lock.json",
            )


def _read_manifest(component: Component, home: Path) -> dict[str, Any]:
    file = home / MANIFEST
    try:
        manifest = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        manifest, trouble = None, str(error).replace(str(home), component.folder or ".")
    else:
        trouble = type(manifest).__name__
    if not isinstance(manifest, dict):
        raise InputError(
            f"{component} cannot be packed",
            expected=f"a JSON object in {component.folder or '.'}/{MANIFEST}, in the commit",
            found=trouble,
            next_step="correct the file, and commit it",
        )
    return manifest


def _scripts(manifest: Mapping[str, Any]) -> dict[str, Any]:
    scripts = manifest.get("scripts")
    return scripts if isinstance(scripts, dict) else {}


def _names_workspace(manifest: Mapping[str, Any]) -> bool:
    return f'"{WORKSPACE}' in json.dumps(manifest)


def _make_concrete(export: Path, home: Path, component: Component, manifest: Mapping[str, Any]) -> None:
    versions: dict[str, str] = {}
    if _names_workspace(manifest):
        # The commit itself knows: the checkout may have moved on.
        packages = FolderWorkspace(export).read((component.folder,) if component.folder else ()).packages
        versions = {package.name: package.version for package in packages}
    file = f"{component.folder}/{MANIFEST}" if component.folder else MANIFEST
    edits = plan_concrete_ranges(manifest, versions, file=file)
    if edits:
        text = (home / MANIFEST).read_bytes().decode()
        (home / MANIFEST).write_bytes(edit_json(text, edits, file=file).encode())


def _take(component: Component, packed: Path, folder: Path) -> Path:
    archives = [each for each in packed.iterdir() if each.suffix == ".tgz"]
    if len(archives) != 1:
        raise TargetError(
            f"npm pack of {component} left something else",
            expected="one tarball",
            found=", ".join(sorted(each.name for each in packed.iterdir())) or "nothing",
            next_step=f"run npm pack in {component.folder or 'the repository'}",
        )
    return Path(shutil.move(archives[0], folder / archives[0].name))
