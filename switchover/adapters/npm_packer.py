"""Tarballs of npm packages, by npm itself."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

from switchover.adapters.commit_export import export_commit
from switchover.decide.components import Component
from switchover.errors import InputError, MissingProgramError, TargetError

PACK_SECONDS = 300.0


class NpmPacker:
    """Port `Packer` on `npm pack`, run in an export of the commit out of the checkout in `root`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def pack(self, component: Component, commit: str, folder: Path) -> Path:
        """Write one `.tgz` into `folder`; `MissingProgramError` when npm is not here."""
        program = shutil.which("npm")
        if program is None:
            raise MissingProgramError(
                f"{component} cannot be packed",
                expected="the program npm",
                found="no npm on the PATH",
                next_step="install Node.js",
            )
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="switchover-pack-") as made:
            export_commit(self._root, commit, (component.folder,) if component.folder else (), Path(made))
            command = [program, "pack", "--json", "--pack-destination", str(folder.resolve())]
            return folder / _read_file_name(component, _run(component, command, Path(made) / component.folder))


def _run(component: Component, command: list[str], folder: Path) -> str:
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PACK_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise TargetError(
            f"npm pack of {component} does not end",
            expected=f"an end within {PACK_SECONDS:.0f} s",
            found="none",
            next_step=f"run npm pack in {component.folder} and see what it waits for",
        ) from error
    if done.returncode != 0:
        raise InputError(
            f"npm pack of {component} failed",
            expected="exit status 0",
            found=f"exit status {done.returncode}: {done.stderr.strip()[-400:]}",
            next_step=f"run npm pack in {component.folder}",
        )
    return done.stdout


def _read_file_name(component: Component, printed: str) -> str:
    """The name of the tarball out of npm's JSON; a lifecycle script may have printed something before it."""
    try:
        answer = json.loads(printed[printed.index("[\n") if "[\n" in printed else printed.index("{") :])
        entry = answer[0] if isinstance(answer, list) else next(iter(answer.values()))
        return str(entry["filename"])
    except (ValueError, LookupError, StopIteration, TypeError, AttributeError) as error:
        raise TargetError(
            f"npm pack of {component} answered something else",
            expected="JSON with a file name",
            found=printed[:200] or "nothing",
            next_step=f"run npm pack --json in {component.folder}",
        ) from error
