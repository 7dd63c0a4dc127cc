"""What an operator may set in `settings.json`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path


class IncompleteSettingsError(Exception):
    """The file lacks a key."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The shop's settings. `currency` is the one in which prices are kept."""

    shop_name: str
    currency: str


def read_settings(path: Path) -> Settings:
    """Read the file; `IncompleteSettingsError` names a key that is missing."""
    document = json.loads(path.read_text(encoding="utf-8"))
    try:
        return Settings(document["shop_name"], document["currency"])
    except KeyError as error:
        raise IncompleteSettingsError(f"{path.name} has no key {error}") from error
