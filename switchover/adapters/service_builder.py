"""Archives of services, made of a commit and nothing else: the same commit gives the same bytes."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path

from switchover.adapters.commit_export import export_commit, read_commit_time
from switchover.decide.components import Component, Service
from switchover.decide.packages import Package
from switchover.errors import InputError, MissingProgramError, TargetError

BUNDLED = "packages"
EXECUTABLE_MODE = 0o755
PLAIN_MODE = 0o644


class ServiceBuilder:
    """Port `Builder`: `.tar.gz` archives out of the checkout in `root`.

    `build_seconds` bounds a service's own build command, which runs with `environ` without the variables in `hidden`.
    """

    def __init__(
        self,
        root: Path,
        environ: Mapping[str, str] = os.environ,
        *,
        hidden: frozenset[str] = frozenset(),
        build_seconds: float = 600.0,
    ) -> None:
        self._root = root
        self._environ = {name: value for name, value in environ.items() if name not in hidden}
        self._build_seconds = build_seconds

    def build(
        self, component: Component, service: Service | None, bundled: tuple[Package, ...], commit: str, folder: Path
    ) -> Path:
        """Write one archive into `folder` and return its path.

        Its root is the component's folder, and each package of `bundled` lies in `packages/<name>/`; for a
        service with a build command it is what that command wrote to `{output}`.
        """
        time = read_commit_time(self._root, commit)
        with tempfile.TemporaryDirectory(prefix="switchover-build-") as made:
            export = Path(made) / "export"
            export.mkdir()
            if service is not None and service.build:
                export_commit(self._root, commit, (), export)
                parts = {"": self._run(service, export, Path(made) / "output", time)}
            else:
                members = [component.folder, *(each.folder for each in bundled)]
                export_commit(
                    self._root, commit, tuple(each for each in members if each) if all(members) else (), export
                )
                parts = {"": export / component.folder}
                parts |= {f"{BUNDLED}/{each.name}": export / each.folder for each in bundled}
            if len(parts) > 1 and (parts[""] / BUNDLED).exists():
                raise InputError(
                    f"{component} cannot be built",
                    expected=f"no folder '{BUNDLED}' in {component.folder}: the packages that it needs go there",
                    found="one",
                    next_step="rename the folder, or state a build command for the service",
                )
            return write_archive(parts, folder / f"{component.name.replace('/', '-')}-{component.version}.tar.gz", time)

    def _run(self, service: Service, export: Path, output: Path, time: int) -> Path:
        """Run the build command of a service in the export; return `output`, which it has to fill."""
        output.mkdir()
        words = [part.replace("{output}", str(output)).replace("{python}", sys.executable) for part in service.build]
        # Builders of many kinds take the time of what they make from this variable.
        environment = {**self._environ, "SOURCE_DATE_EPOCH": str(time), "PYTHONDONTWRITEBYTECODE": "1"}
        try:
            done = subprocess.run(
                words,
                cwd=export,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=self._build_seconds,
                check=False,
            )
        except FileNotFoundError as error:
            raise MissingProgramError(
                f"the build of {service.name} cannot start",
                expected=f"the program {words[0]}",
                found="no such program",
                next_step="install it, or correct the build command in switchover.toml",
            ) from error
        except OSError as error:
            raise InputError(
                f"the build of {service.name} cannot start",
                expected=f"that {words[0]} can be executed",
                found=error.strerror or str(error),
                next_step="make it executable and commit that, or correct the build command in switchover.toml",
            ) from error
        except subprocess.TimeoutExpired as error:
            raise TargetError(
                f"the build of {service.name} does not end",
                expected=f"an end within {self._build_seconds:.0f} s",
                found="none",
                next_step="run the command by hand and see what it waits for",
            ) from error
        if done.returncode != 0 or not any(output.iterdir()):
            raise InputError(
                f"the build of {service.name} failed",
                expected="exit status 0 and files in {output}",
                found=f"exit status {done.returncode}: {(done.stderr or done.stdout).strip()[-400:]}",
                next_step="run the command by hand at the root of the repository",
            )
        return output


def write_archive(parts: dict[str, Path], archive: Path, time: int) -> Path:
    """Pack folders below their prefixes: sorted, without owners, every time `time` (seconds of the epoch)."""
    files = {
        f"{prefix}/{path.relative_to(folder).as_posix()}".lstrip("/"): path
        for prefix, folder in parts.items()
        for path in folder.rglob("*")
        if path.is_symlink() or (path.is_file() and path.suffix != ".pyc")
    }
    archive.parent.mkdir(parents=True, exist_ok=True)
    with (
        archive.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=time) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name in sorted(files):
            entry = tar.gettarinfo(files[name], arcname=name)
            entry.uid = entry.gid = 0
            entry.uname = entry.gname = ""
            entry.mtime = time
            entry.mode = EXECUTABLE_MODE if entry.mode & 0o100 else PLAIN_MODE
            if entry.isreg():
                with files[name].open("rb") as content:
                    tar.addfile(entry, content)
            else:
                tar.addfile(entry)
    return archive
