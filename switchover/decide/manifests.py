"""Edits of manifests as text in, text out: one value changes, every other byte stays."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from switchover.errors import InputError

Spans = dict[tuple[str, ...], tuple[int, int]]
DECODER = json.JSONDecoder()
BLANKS = " \t\r\n"
ENDS = ",]} \t\r\n"
TomlPath = tuple[str | int, ...]


def edit_json(text: str, values: Mapping[tuple[str, ...], str], *, file: str) -> str:
    """Replace string values of a JSON object, addressed by their keys from the top.

    Raises `InputError` when the text is not JSON, or does not have one of the keys.
    """
    try:
        json.loads(text)
    except ValueError as error:
        raise InputError(
            f"{file} cannot be edited", expected="JSON", found=str(error), next_step="correct the file"
        ) from error
    spans: Spans = {}
    _scan(text, _skip(text, 0), (), spans)
    for path in sorted(values, key=lambda path: spans.get(path, (-1, -1)), reverse=True):
        if path not in spans:
            raise InputError(
                f"{file} cannot be edited",
                expected=f"the key {'.'.join(path)}",
                found="no such key",
                next_step="add it to the file",
            )
        start, end = spans[path]
        text = text[:start] + json.dumps(values[path], ensure_ascii=False) + text[end:]
    return text


def edit_toml(text: str, values: Mapping[TomlPath, str], *, file: str) -> str:
    """Replace strings of a TOML document, addressed by keys and positions from the top; every other byte stays.

    Raises `InputError` when the text is not TOML, or one of the values is not there as a string on one line.
    """
    for path, value in values.items():
        document = _parse_toml(text, file)
        old = _look_up(document, path)
        # A parser that kept positions would be a dependency of its own. The text may hold the old value in several
        # places: the right one is that whose change leads to exactly the wanted document.
        wanted = _replace(document, path, value) if isinstance(old, str) else None
        candidates = _write_each(text, old, value) if isinstance(old, str) else ()
        edited = next((each for each in candidates if _means(each, wanted)), None)
        if edited is None:
            raise InputError(
                f"{file} cannot be edited",
                expected=f"a string on one line at {'.'.join(str(key) for key in path)}",
                found=repr(old),
                next_step="write it as such",
            )
        text = edited
    return text


def edit_line(text: str, value: str) -> str:
    """Replace all that a text of one line says; its line end stays, and one that has none gets one."""
    present = text.strip()
    if present == value:
        return text
    edited = text.replace(present, value, 1) if present else value
    return edited if edited.endswith("\n") else f"{edited}\n"


def _parse_toml(text: str, file: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(
            f"{file} cannot be edited", expected="TOML", found=str(error), next_step="correct the file"
        ) from error


def _means(text: str, wanted: object) -> bool:
    try:
        return tomllib.loads(text) == wanted
    except tomllib.TOMLDecodeError:
        return False


def _look_up(node: Any, path: TomlPath) -> object:
    for key in path:
        inside = isinstance(node, list) and isinstance(key, int) and key < len(node)
        if not inside and not (isinstance(node, dict) and key in node):
            return None
        node = node[key]
    return node


def _replace(node: Any, path: TomlPath, value: str) -> Any:
    """A copy of the document with the value at `path`."""
    if not path:
        return value
    key, *rest = path
    if isinstance(node, list):
        return [_replace(each, tuple(rest), value) if at == key else each for at, each in enumerate(node)]
    return {**node, key: _replace(node[key], tuple(rest), value)}


def _write_each(text: str, old: str, value: str) -> Iterator[str]:
    """The text with each string that is written like `old` changed in turn, in the quotes that it has."""
    for before, after in ((f"'{old}'", f"'{value}'"), (_quote(old), _quote(value))):
        at = text.find(before)
        while at >= 0:
            yield text[:at] + after + text[at + len(before) :]
            at = text.find(before, at + 1)


def _quote(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _scan(text: str, at: int, path: tuple[str, ...], spans: Spans) -> int:
    """Note the span of every string value below `at`; the text is known to be JSON. Returns the end."""
    if text[at] == "{":
        return _scan_object(text, at + 1, path, spans)
    if text[at] == "[":
        return _scan_array(text, at + 1, path, spans)
    if text[at] == '"':
        spans[path] = (at, _scan_string(text, at)[1])
        return spans[path][1]
    while at < len(text) and text[at] not in ENDS:
        at += 1
    return at


def _scan_string(text: str, at: int) -> tuple[str, int]:
    """The string that begins at `at`, and where it ends."""
    value, end = DECODER.raw_decode(text, at)
    return str(value), end


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in BLANKS:
        at += 1
    return at


def _scan_object(text: str, at: int, path: tuple[str, ...], spans: Spans) -> int:
    at = _skip(text, at)
    while text[at] != "}":
        key, at = _scan_string(text, at)
        at = _skip(text, _skip(text, at) + 1)
        at = _skip(text, _scan(text, at, (*path, key), spans))
        if text[at] == ",":
            at = _skip(text, at + 1)
    return at + 1


def _scan_array(text: str, at: int, path: tuple[str, ...], spans: Spans) -> int:
    at, index = _skip(text, at), 0
    while text[at] != "]":
        at = _skip(text, _scan(text, at, (*path, str(index)), spans))
        index += 1
        if text[at] == ",":
            at = _skip(text, at + 1)
    return at + 1
