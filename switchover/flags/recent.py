"""What a process has seen lately, in bounded memory and without a lock."""

from __future__ import annotations


class Recent:
    """Remembers at least the last `limit` / 2 marks that were asked for, and at most `limit`.

    Two generations: the younger one takes what is new or used again, and takes the older one's place when it is
    full. Threads that race forget a mark at worst, which costs a repetition and no more.
    """

    __slots__ = ("_half", "_older", "_younger")

    def __init__(self, limit: int) -> None:
        self._half = max(limit // 2, 1)
        self._younger: dict[int, None] = {}
        self._older: dict[int, None] = {}

    def __contains__(self, mark: int) -> bool:
        if mark in self._younger:
            return True
        if mark in self._older:
            self.add(mark)
            return True
        return False

    def __len__(self) -> int:
        return len(self._younger) + len(self._older)

    def add(self, mark: int) -> None:
        """Remember the mark."""
        younger = self._younger
        younger[mark] = None
        if len(younger) >= self._half:
            self._older, self._younger = younger, {}
