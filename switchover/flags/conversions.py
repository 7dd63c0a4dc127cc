"""How JsonLogic turns one JSON value into another: truth, number, text, and what a path points at.

The rules are those of the evaluator that flagd's Python service uses (panzi-json-logic), which follow JavaScript
where Python allows. Values of a context may be anything; what cannot be converted raises, and the flag that
asked answers with an error.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import UTC, date, datetime
from datetime import time as time_of_day
from math import isnan

NAN = float("nan")
"""One object: where it is looked for in a list, it is found by identity."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def to_bool(value: object) -> bool:
    """JavaScript's truth, except that an empty list is false."""
    if value is None:
        return False
    if isinstance(value, float):
        return not isnan(value) and value != 0.0
    if isinstance(value, (str, int, list)):
        return bool(value)
    return True


def to_number(value: object) -> float:  # noqa: PLR0911 - a ladder of types
    """A number (an int stays one); NaN for what is none. Raises TypeError for what JSON does not know."""
    if isinstance(value, (int, float)):
        return value
    if value is None:
        return 0
    if isinstance(value, list):
        return _list_to_number(value)
    if isinstance(value, dict):
        return NAN
    if isinstance(value, datetime):
        return (value - _EPOCH).total_seconds() * 1000.0
    if isinstance(value, date):
        # A date without a zone cannot be subtracted: this raises, as it does there.
        return (datetime.combine(value, time_of_day()) - _EPOCH).total_seconds() * 1000.0
    if isinstance(value, str) and value.strip().lower() in {"inf", "-inf", "+inf"}:
        return NAN  # JavaScript does not know Python's short words
    try:
        return float(value)  # type: ignore[arg-type]  # what is no text raises TypeError
    except ValueError:
        return NAN


def _list_to_number(value: list[object]) -> float:
    if not value:
        return 0
    return to_number(value[0]) if len(value) == 1 else NAN


def to_text(value: object) -> str:  # noqa: PLR0911 - a ladder of types
    """Text as JavaScript writes it, except that truth is `True` and `False`."""
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return f"{value:.15g}"
    if isinstance(value, int):
        return str(value)
    if value is None:
        return "null"
    if isinstance(value, list):
        return ",".join(to_text(item) for item in value)
    if isinstance(value, dict):
        return "[object Object]"
    if isinstance(value, date):
        return _write_http_date(time.mktime(value.timetuple()))
    return str(value)


def _write_http_date(timestamp: float) -> str:
    year, month, day, hours, minutes, seconds, weekday, _, _ = time.gmtime(timestamp)
    clock = f"{hours:02d}:{minutes:02d}:{seconds:02d}"
    return f"{_WEEKDAYS[weekday]}, {day:02d} {_MONTHS[month - 1]} {year:4d} {clock} GMT"


def look_up(data: object, key: object = None, default: object = None) -> object:
    """What `var` finds in `data`: all of it for no key, an item by its index, or what a path with dots points at.

    More arguments raise TypeError, as they do there.
    """
    if key is None or key == "":
        return data
    if isinstance(key, (int, float)):
        if isinstance(data, (list, str)):
            return _item_at(data, key, default)
        if not isinstance(data, dict):
            return default
        data = data.get(key)
        if data is None:
            return default
    return follow(data, to_text(key).split("."), default)


def _item_at(data: list[object] | str, key: float, default: object) -> object:
    try:
        index = int(key)
    except ValueError:
        return default
    return data[index] if index == key and 0 <= index < len(data) else default


def follow(data: object, path: Iterable[str], default: object) -> object:
    """Step into members and items by name; `default` where a step leads nowhere or to null."""
    for name in path:
        if isinstance(data, dict):
            data = data.get(name)
        elif isinstance(data, (list, str)):
            if name == "length":
                return len(data)
            try:
                index = int(name, 10)
            except ValueError:
                return default
            if name != str(index) or not 0 <= index < len(data):
                return default
            data = data[index]
        else:
            return default
    return default if data is None else data
