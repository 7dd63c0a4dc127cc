"""Programs of Debian packages, unpacked into the cache: nothing is installed and no service is started."""

import os
import platform
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from switchover.errors import MissingProgramError
from tests.cluster.cache import cached
from tests.cluster.processes import run

PROGRAM_FOLDERS = ("usr/sbin", "usr/bin", "sbin", "bin")
LIBRARY_FOLDERS = tuple(f"{usr}lib{rest}" for usr in ("usr/", "") for rest in (f"/{platform.machine()}-linux-gnu", ""))


def unpacked(name: str, packages: Sequence[str]) -> Path:
    """The folder with these packages unpacked: every package they need must be named too."""
    return cached(f"debian-{name}", [_release(), *packages], lambda folder: _unpack(packages, folder))


def program(folder: Path, name: str) -> Path:
    """Where the program of that name is in an unpacked folder."""
    for place in PROGRAM_FOLDERS:
        if (folder / place / name).exists():
            return folder / place / name
    raise MissingProgramError(
        f"{name} is not in {folder}",
        expected=f"one of {', '.join(PROGRAM_FOLDERS)} to hold it",
        found="none does",
        next_step=f"remove {folder} and run again",
    )


def environment(folder: Path) -> Mapping[str, str]:
    """The variables with which unpacked programs find each other and their libraries, before the system's."""
    programs = [str(folder / place) for place in PROGRAM_FOLDERS]
    libraries = [str(folder / place) for place in LIBRARY_FOLDERS]
    return {
        **os.environ,
        "PATH": os.pathsep.join([*programs, os.environ.get("PATH", os.defpath)]),
        "LD_LIBRARY_PATH": os.pathsep.join([*libraries, *filter(None, [os.environ.get("LD_LIBRARY_PATH")])]),
    }


def _release() -> str:
    return f"{platform.freedesktop_os_release().get('VERSION_ID', '')} {platform.machine()}"


def _unpack(packages: Sequence[str], folder: Path) -> None:
    if not shutil.which("apt-get") or not shutil.which("dpkg"):
        raise MissingProgramError(
            f"{', '.join(packages)} cannot be unpacked",
            expected="a Debian or Ubuntu with apt-get and dpkg",
            found=platform.freedesktop_os_release().get("PRETTY_NAME", "another system"),
            next_step="put the programs on the PATH, or set SWITCHOVER_TEST_KUBECONFIG",
        )
    archives = folder / "archives"
    archives.mkdir()
    if _download(packages, archives).returncode != 0:
        # The machine's package lists are older than the archive.
        run(["apt-get", "update", "-qq"])
        again = _download(packages, archives)
        if again.returncode != 0:
            raise MissingProgramError(
                f"{', '.join(packages)} cannot be downloaded",
                expected="apt-get download to succeed",
                found=again.stderr.strip()[-500:],
                next_step="check the package sources of this machine",
            )
    for archive in sorted(archives.glob("*.deb")):
        run(["dpkg", "-x", archive, folder])
    shutil.rmtree(archives)


def _download(packages: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    command = ["apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", *packages]
    return subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
