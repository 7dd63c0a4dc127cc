"""Programs out of a Debian suite newer than the machine's own: unpacked into the cache, nothing is installed."""

from __future__ import annotations

import platform
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from switchover.errors import MissingProgramError
from tests.cluster.cache import cached

SUITE = "sid"
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_SECONDS = 300


def unpacked_newer(name: str, packages: Sequence[str]) -> Path:
    """The folder with these packages of the newest suite unpacked: every package they need must be named too.

    Only programs that bring their libraries along, or need none but libc, run on an older system.
    """
    return cached(
        f"debian-{SUITE}-{name}", [SUITE, platform.machine(), *packages], lambda folder: _unpack(packages, folder)
    )


def _unpack(packages: Sequence[str], folder: Path) -> None:
    archives = folder / "archives"
    for made in (folder / "lists" / "partial", folder / "cache" / "archives" / "partial", folder / "parts", archives):
        made.mkdir(parents=True)
    (folder / "parts" / "newer.sources").write_text(
        f"Types: deb\nURIs: {_read_mirror()}\nSuites: {SUITE}\nComponents: main\nSigned-By: {_KEYRING}\n"
    )
    options = [
        "-o=Dir::Etc::SourceList=-",
        f"-o=Dir::Etc::SourceParts={folder / 'parts'}",
        f"-o=Dir::State::Lists={folder / 'lists'}",
        f"-o=Dir::Cache={folder / 'cache'}",
        "-o=APT::Sandbox::User=root",
        "-o=Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false",
    ]
    _run(["apt-get", *options, "update", "-qq"], folder)
    _run(["apt-get", *options, "download", "-qq", *packages], archives)
    for archive in sorted(archives.glob("*.deb")):
        _run(["dpkg", "-x", str(archive), str(folder)], folder)
    _run(["rm", "-r", *(str(folder / part) for part in ("archives", "lists", "cache", "parts"))], folder)


def _read_mirror() -> str:
    """Where this machine gets Debian's main packages from."""
    printed = _run(["apt-get", "indextargets", "--format", "$(SITE) $(ORIGIN) $(CREATED_BY)"], Path("/"))
    found = [line.split()[0] for line in printed.splitlines() if re.search(r" Debian Packages$", line)]
    plain = [site for site in found if "security" not in site]
    if not plain:
        raise MissingProgramError(
            "no newer Debian package can be had",
            expected="a Debian with a package source of its main archive",
            found=printed[:200] or "none",
            next_step="put the programs on the PATH",
        )
    return plain[0]


def _run(command: list[str], folder: Path) -> str:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=_SECONDS)
    except FileNotFoundError:
        raise MissingProgramError(
            f"{command[0]} is not here",
            expected="a Debian or Ubuntu with apt-get and dpkg",
            found="none",
            next_step="put the programs on the PATH",
        ) from None
    if done.returncode != 0:
        raise MissingProgramError(
            f"{' '.join(command[:1] + command[-2:])} failed",
            expected="exit status 0",
            found=done.stderr.strip()[-400:],
            next_step="check the package sources of this machine",
        )
    return done.stdout
