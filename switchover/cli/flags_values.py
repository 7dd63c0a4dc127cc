"""What is written on a command line about a flag: variants, prerequisites, a day."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date

from switchover.errors import InputError
from switchover.flags.additions import read_date
from switchover.flags.snapshot import Json

CLEAR = "none"


def read_variants(text: str) -> dict[str, Json]:
    """`on=true,off=false`, or a JSON object. A value that is no JSON is a text."""
    if text.lstrip().startswith("{"):
        return _read_object(text)
    found: dict[str, Json] = {}
    for pair in text.split(","):
        name, equals, value = (word.strip() for word in pair.partition("="))
        if not name or not equals or name in found:
            raise _refused("--variants", "on=true,off=false, each name once, or a JSON object", pair or "nothing")
        found[name] = _read_value(value)
    return found


def read_prerequisites(texts: Sequence[str]) -> dict[str, str]:
    """`other=on` of each; empty for `none`."""
    if list(texts) == [CLEAR]:
        return {}
    found: dict[str, str] = {}
    for text in texts:
        flag, equals, variant = text.partition("=")
        if not flag or not equals or not variant or flag in found:
            raise _refused("--prerequisite", f"other=on, each flag once, or {CLEAR}", text or "nothing")
        found[flag] = variant
    return found


def read_day(option: str, text: str) -> date | None:
    """A day like 2027-01-31; None for `none`."""
    if text == CLEAR:
        return None
    day = read_date(text)
    if day is None:
        raise _refused(option, f"a day like 2027-01-31, or {CLEAR}", text)
    return day


def _read_object(text: str) -> dict[str, Json]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _refused("--variants", "a JSON object", str(error)) from error
    if not isinstance(found, dict):
        raise _refused("--variants", "a JSON object", text[:60])
    return found


def _read_value(text: str) -> Json:
    try:
        found: Json = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return found


def _refused(option: str, expected: str, found: str) -> InputError:
    return InputError(f"{option} cannot be read", expected=expected, found=found, next_step="correct it")
