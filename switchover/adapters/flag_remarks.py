"""What is said about one line of a source."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import SequenceMatcher


@dataclass(frozen=True, slots=True, order=True)
class Remark:
    """Something about one line, from 1."""

    line: int
    text: str


def move_remarks(remarks: Iterable[Remark], before: str, after: str) -> tuple[Remark, ...]:
    """Remarks about a source at the lines of another one that was made of it; the nearest where a line is gone."""
    lines = SequenceMatcher(None, before.splitlines(), after.splitlines(), autojunk=False).get_opcodes()

    def move(line: int) -> int:
        for _, start, end, new_start, new_end in lines:
            if start <= line - 1 < end:
                return 1 + min(new_start + line - 1 - start, max(new_start, new_end - 1))
        return line

    return tuple(sorted({Remark(move(each.line), each.text) for each in remarks}))
