"""Looking into objects that somebody else wrote: what is not of the expected shape reads as if it were not there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

KubeObject = dict[str, Any]


def mapping_at(value: object, *keys: str) -> dict[str, Any]:
    """The mapping below `keys`, itself and not a copy; a new empty one where there is none."""
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, dict) else {}


def mappings_at(value: object, *keys: str) -> list[dict[str, Any]]:
    """The mappings in the list below `keys`."""
    found = mapping_at(value, *keys[:-1]).get(keys[-1])
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def name_of(obj: object) -> str:
    """The name in the metadata; empty where there is none."""
    return str(mapping_at(obj, "metadata").get("name", ""))


def place_of(obj: Mapping[str, Any], field: str = "") -> str:
    """The object and a field in it, as messages name them."""
    return f"{obj.get('kind')} {name_of(obj)}" + (f", {field}" if field else "")


def canonical(value: object) -> str:
    """JSON that is the same for the same value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
