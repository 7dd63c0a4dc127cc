"""The registry that is in the program crane: another implementation than Debian's, which removes tags by name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster.debian import program
from tests.cluster.processes import await_ready
from tests.cluster.processes import start as start_child
from tests.real_parts.debian import unpacked_newer

_SERVING = re.compile(r"serving on port (\d+)")
_SECONDS_TO_START = 30


def crane_program() -> Path:
    """Where crane is. Raises `MissingProgramError` where it cannot be had."""
    return program(unpacked_newer("crane", ["crane"]), "crane")


@contextmanager
def crane_registry(folder: Path) -> Iterator[str]:
    """Its "host:port" while it serves an empty registry, held in its memory."""
    crane = crane_program()
    child = start_child("crane-registry", [crane, "registry", "serve", "--address", "127.0.0.1:0"], logs=folder)
    try:
        await_ready(child, lambda: bool(_SERVING.search(child.log.read_text())), within=_SECONDS_TO_START)
        yield f"127.0.0.1:{_SERVING.findall(child.log.read_text())[0]}"
    finally:
        child.stop()
