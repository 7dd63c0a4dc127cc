"""Files of a person: what is handed in, never more of it than a set may have, and what is put there."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from switchover.errors import InputError
from switchover.flags.file_document import replace_file
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


def write_whole(file: Path, text: str) -> None:
    """Put the text into the file at once or not at all; a device or a pipe takes it as it comes."""
    path = file.resolve()
    try:
        if path.exists() and not path.is_file():
            path.write_text(text, encoding="utf-8")
        else:
            replace_file(path, text.encode(), like=path)
    except OSError as error:
        raise InputError(
            f"cannot write {file}",
            expected="the name of a file, in a folder that may be written to",
            found=error.strerror or str(error),
            next_step="correct the name, or the rights of the folder",
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
