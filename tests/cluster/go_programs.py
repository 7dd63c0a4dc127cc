"""Programs built from the Go modules beside this file, once, into the cache."""

import os
import platform
import re
import resource
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from switchover.errors import MissingProgramError, TargetError
from tests.cluster.cache import cached, say
from tests.cluster.processes import run

HERE = Path(__file__).parent
FLAGS = ("-trimpath", "-buildvcs=false")
# Static and without symbols: half the size to link, to write and to load.
_LINK = ("-s", "-w")


def built(
    module: str, *, package: str = ".", tags: Sequence[str] = (), variables: Mapping[str, str] | None = None
) -> Path:
    """The program of the Go module in the folder of that name beside this file, built if it is not cached.

    `package` is the main package to build: one of the module's dependencies, where it is not its own.
    `variables` are set by the linker: values by qualified names.
    """
    sources = HERE / module
    set_variables = [f"-X={name}={value}" for name, value in (variables or {}).items()]
    flags = [*FLAGS, f"-tags={','.join(tags)}", f"-ldflags={' '.join([*_LINK, *set_variables])}"]
    inputs: list[str | bytes] = [platform.machine(), package, *flags]
    for path in sorted(sources.rglob("*")):
        if path.suffix in {".go", ".mod", ".sum"} and not path.name.endswith("_test.go"):
            inputs += [path.relative_to(sources).as_posix(), path.read_bytes()]
    return cached(f"go-{module}", inputs, lambda folder: _build(sources, package, flags, folder)) / module


def why_not() -> str | None:
    """Why nothing can be built here, or None: what is in the cache can be used all the same."""
    if not shutil.which("go"):
        return "no Go on the PATH"
    found = run(["go", "env", "GOVERSION"]).strip()
    wanted = max(_version(path.read_text()) for path in HERE.glob("*/go.mod"))
    if _version(found.replace("go", "go ")) < wanted:
        return f"Go {'.'.join(map(str, wanted))} or newer is needed, found {found}"
    return None


def _version(text: str) -> tuple[int, ...]:
    found = re.search(r"^go (\d+)\.(\d+)", text, re.MULTILINE)
    return tuple(map(int, found.groups())) if found else (0, 0)


def _build(sources: Path, package: str, flags: Sequence[str], folder: Path) -> None:
    reason = why_not()
    if reason is not None:
        raise MissingProgramError(
            f"{sources.name} cannot be built",
            expected="a Go that builds it",
            found=reason,
            next_step="install Go, or set SWITCHOVER_TEST_KUBECONFIG",
        )
    say(f"{sources.name}: go build, minutes of work the first time")
    command = ["go", "build", *flags, "-o", str(folder / sources.name), package]
    environment = {**os.environ, "CGO_ENABLED": "0", "GOWORK": "off"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = subprocess.run(command, cwd=sources, env=environment, capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if result.returncode != 0:
        raise TargetError(
            f"{sources.name} cannot be built",
            expected="go build to succeed",
            found=(result.stderr or result.stdout).strip()[-2000:],
            next_step=f"run it by hand in {sources}",
        )
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    say(f"{sources.name}: {seconds:.0f} s of CPU, {(folder / sources.name).stat().st_size / 2**20:.0f} MiB")
