"""The program `switchover`, where it may be installed for the flags alone: the command line needs more than they do."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from typing import Final

_NEEDED: Final = ("click", "rich", "pydantic", "git", "psutil", "yaml")


def main() -> None:
    """Run the command line, or say what is not installed."""
    missing = [name for name in _NEEDED if not _is_installed(name)]
    if missing:
        sys.stderr.write(
            "the command line is not installed\n"
            "  expected: the extra `ops`\n"
            f"  found:    no {', '.join(missing)}; this installation is for asking flags in Python\n"
            "  next:     pip install 'switchover[ops]'\n"
        )
        sys.exit(1)
    importlib.import_module("switchover.cli.main").main()


def _is_installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False
