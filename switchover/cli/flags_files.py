"""What a person hands in: a file or standard input, never more of it than a set may have."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from switchover.errors import InputError
from switchover.flags.flag_size import MAX_SET_BYTES
from switchover.flags.snapshot import Json

STANDARD_INPUT = "-"


def read_limited(file: str) -> bytes:
    """The bytes of the file, or of standard input for `-`; one more than a set may have where there are more."""
    try:
        if file == STANDARD_INPUT:
            return sys.stdin.buffer.read(MAX_SET_BYTES + 1)
        with Path(file).open("rb") as opened:
            return opened.read(MAX_SET_BYTES + 1)
    except OSError as error:
        raise InputError(
            f"cannot read {file}",
            expected="a file of JSON, or - for standard input",
            found=error.strerror or str(error),
            next_step="correct the name, or the rights of the file",
        ) from error


def read_json(file: str) -> Json:
    """The JSON of the file; raise `InputError` with the line for what is none."""
    try:
        found: Json = json.loads(read_limited(file).decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{'standard input' if file == STANDARD_INPUT else file} is no JSON",
            expected="one JSON value in UTF-8",
            found=str(error) or type(error).__name__,
            next_step="correct it",
        ) from error
    return found
