"""Edits of manifests as text in, text out: one value changes, every other byte stays."""

from __future__ import annotations

import json
import re
import tomllib

from switchover.errors import InputError

Spans = dict[tuple[str, ...], tuple[int, int]]
DECODER = json.JSONDecoder()
BLANKS = " \t\r\n"
ENDS = ",]} \t\r\n"
PROJECT_TABLE = re.compile(r"^\[project\][ \t]*(?:#[^\n]*)?$(?P<body>.*?)(?=^\[|\Z)", re.MULTILINE | re.DOTALL)
VERSION_LINE = re.compile(r"^version[ \t]*=[ \t]*(?P<value>\"[^\"\n]*\"|'[^'\n]*')", re.MULTILINE)
REQUIREMENT = r"(?P<quote>[\"']){name}(?P<extras>\[[^\]]*\])?[ \t]*(?P<operator>==|~=|>=)[ \t]*[^\"',;|]+(?P=quote)"


def edit_json(text: str, values: dict[tuple[str, ...], str], *, file: str) -> str:
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


def edit_pyproject_version(text: str, version: str, *, file: str) -> str:
    """Replace `version` of the table `[project]`. Raises `InputError` when it is not there as a plain string."""
    table = PROJECT_TABLE.search(text)
    line = VERSION_LINE.search(text, table.start("body"), table.end("body")) if table else None
    if line is None:
        raise InputError(
            f"{file} cannot be edited",
            expected="a line 'version = \"…\"' in the table [project]",
            found="none",
            next_step="state the version there",
        )
    quote = line["value"][0]
    edited = f"{text[: line.start('value')]}{quote}{version}{quote}{text[line.end('value') :]}"
    if tomllib.loads(edited)["project"]["version"] != version:
        unreachable = f"the edit of {file} did not arrive"
        raise AssertionError(unreachable)
    return edited


def edit_requirement(text: str, name: str, version: str) -> str:
    """Move requirements on `name` of the form `name==…`, `name~=…` or `name>=…` to `version`."""
    pattern = re.compile(REQUIREMENT.format(name=re.escape(name)))
    return pattern.sub(
        lambda match: f"{match['quote']}{name}{match['extras'] or ''}{match['operator']}{version}{match['quote']}",
        text,
    )


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
