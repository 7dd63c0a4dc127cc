"""Runs the shop: `PORT=8000 python3 -m shop`."""

from __future__ import annotations

import sys
from pathlib import Path

from acme_web.service import log, run, set_up_logging

from shop.handlers import list_handlers
from shop.settings import IncompleteSettingsError, read_settings

FOLDER = Path(__file__).resolve().parent.parent


def main() -> int:
    """Read the settings and serve; return the exit status."""
    set_up_logging()
    try:
        settings = read_settings(FOLDER / "settings.json")
    except IncompleteSettingsError as error:
        log.critical("%s", error)
        return 1
    return run(FOLDER, list_handlers(settings, FOLDER / "assets"))


sys.exit(main())
