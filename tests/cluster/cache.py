"""Where built programs and unpacked packages are kept between runs: outside the tree, one folder per input."""

import fcntl
import hashlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path


def usual_root() -> Path:
    """The folder of everything cached: `$SWITCHOVER_CACHE`, else `switchover` in the user's cache folder."""
    chosen = os.environ.get("SWITCHOVER_CACHE")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "switchover"


def say(line: str) -> None:
    """Tell the person who waits what is going on, on stderr: stdout belongs to the command that is run."""
    sys.stderr.write(f"cluster: {line}\n")
    sys.stderr.flush()


def key(inputs: Iterable[str | bytes]) -> str:
    """Sixteen hex digits that change when any input, their number or their order does."""
    digest = hashlib.sha256()
    for one in inputs:
        content = one.encode() if isinstance(one, str) else one
        digest.update(f"{len(content)}:".encode() + content)
    return digest.hexdigest()[:16]


def cached(
    name: str, inputs: Iterable[str | bytes], build: Callable[[Path], None], *, root: Path | None = None
) -> Path:
    """The folder that `build` filled for these inputs, now or in an earlier run.

    `build` gets an empty folder beside the final one. It appears under its name only when `build` returned,
    and two runs that need the same thing build it once.
    """
    place = usual_root() if root is None else root
    wanted = place / f"{name}-{key(inputs)}"
    if wanted.is_dir():
        return wanted
    place.mkdir(parents=True, exist_ok=True)
    with _locked(place / f"{name}.lock"):
        if not wanted.is_dir():
            _build(name, wanted, build)
    return wanted


def _build(name: str, wanted: Path, build: Callable[[Path], None]) -> None:
    say(f"{name}: not in the cache, being made (kept in {wanted})")
    started = time.monotonic()
    unfinished = Path(tempfile.mkdtemp(prefix=f"{name}-unfinished-", dir=wanted.parent))
    try:
        build(unfinished)
        unfinished.chmod(0o755)
        unfinished.rename(wanted)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    say(f"{name}: made in {time.monotonic() - started:.0f} s")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
