"""Files that only their owner may read, replaced whole or not at all."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from switchover.adapters.waiting import wait_until
from switchover.errors import BusyError, TargetError

_OTHERS = 0o077
_LOCK_SECONDS = 30.0


def ensure_private_folder(folder: Path) -> Path:
    """Make `folder` with mode 0700 if it is absent; refuse one that others own or can enter.

    Raises `TargetError`.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise _disk_trouble(folder, error) from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & _OTHERS:
        raise TargetError(
            f"the folder {folder} is not private",
            expected=f"a folder of user {os.getuid()} with mode 0700",
            found=f"owner {found.st_uid}, mode {stat.filemode(found.st_mode)}",
            next_step=f"remove it, or `chmod 700 {folder}` if it is yours",
        )
    return folder


def write_private(path: Path, text: str) -> bool:
    """Replace `path` by a rename, mode 0600; return whether its content changed.

    Raises `TargetError` when the disk is full.
    """
    if read_or_none(path) == text:
        return False
    beside = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise _disk_trouble(path, error) from error
    return True


def write_private_json(path: Path, value: object) -> bool:
    """`write_private` for a JSON document."""
    return write_private(path, json.dumps(value, indent=1, sort_keys=True) + "\n")


def read_or_none(path: Path) -> str | None:
    """The text of a file, or None when there is no such file."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def read_json_or_none(path: Path) -> Any:
    """The document in a file, or None when there is no such file."""
    text = read_or_none(path)
    return None if text is None else json.loads(text)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the advisory lock of `path` against every other process and thread. Not re-entrant.

    Raises `BusyError` after 30 s.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if not wait_until(lambda: _try_lock(descriptor), _LOCK_SECONDS, 0.005):
            raise BusyError(
                "the environment is locked by another process",
                expected=f"{path} to be free within {_LOCK_SECONDS:.0f} s",
                found="it is held all the time",
                next_step="end the process that holds it (`fuser` names it), then repeat",
            )
        yield
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _disk_trouble(path: Path, error: OSError) -> TargetError:
    full = error.errno in {errno.ENOSPC, errno.EDQUOT}
    return TargetError(
        f"cannot write {path}",
        expected="a folder that can be written to",
        found=error.strerror or str(error),
        next_step="free some disk space and repeat" if full else "correct the folder's rights and repeat",
    )
