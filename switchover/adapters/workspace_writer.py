"""Writing edits into the files of a checkout, so that a run that is killed half-way can be repeated.

What is about to be written is noted in the Git folder first. Whoever comes next finds there which files are still as
before and which are as wanted: all as before, and nothing has happened; some of each, and the rest follows.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from switchover.adapters.git_program import open_checkout, run
from switchover.decide.edits import Edit
from switchover.errors import InputError

NOTE = "switchover-version.json"
# A note is as large as the files that it is about; this is far above what changelogs come to.
LARGEST_NOTE_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Noted:
    """One file of an interrupted run: the digest that it had, empty for an absent one, and what it should become."""

    edit: Edit
    before: str


@dataclass(frozen=True, slots=True)
class WorkspaceWriter:
    """Writes below `root`; `note` is the file that says what is under way."""

    root: Path
    note: Path

    @classmethod
    def of_checkout(cls, root: Path) -> WorkspaceWriter:
        """The writer for a checkout, its note in the Git folder of this very work tree."""
        place = run(open_checkout(root), "rev-parse", "--git-path", NOTE)
        return cls(root, root / place)

    def write(self, edits: tuple[Edit, ...]) -> None:
        """Write every edit, each file at once and whole; files go away last. `InputError` for a path outside."""
        noted = tuple(_Noted(edit, self._digest(edit.path)) for edit in edits)
        document = [{"path": each.edit.path, "before": each.before, "content": each.edit.content} for each in noted]
        _replace(self.note, json.dumps(document))
        self._apply(noted)

    def finish(self) -> tuple[str, ...]:
        """Write what a killed run had begun and not ended; return the paths of all its files, empty for none.

        Raises `InputError` for a file that somebody has changed since.
        """
        noted = self._read_note()
        waiting = tuple(each for each in noted if self._digest(each.edit.path) != _digest_of(each.edit.content))
        for each in waiting:
            if self._digest(each.edit.path) != each.before and len(waiting) < len(noted):
                raise InputError(
                    "an interrupted `switchover version` cannot be finished",
                    expected=f"{each.edit.path} as it was before, or as that run wanted it",
                    found="other content",
                    next_step=f"take everything back (git restore, git clean), delete {self.note} and run again",
                )
        if not waiting or len(waiting) == len(noted):
            self.note.unlink(missing_ok=True)
            return ()
        self._apply(waiting)
        return tuple(each.edit.path for each in noted)

    def _apply(self, noted: tuple[_Noted, ...]) -> None:
        for each in sorted(noted, key=lambda each: (each.edit.content is None, each.edit.path)):
            place = self._place(each.edit.path)
            if each.edit.content is None:
                place.unlink(missing_ok=True)
            else:
                _replace(place, each.edit.content)
        self.note.unlink(missing_ok=True)

    def _digest(self, path: str) -> str:
        place = self._place(path)
        return hashlib.sha256(place.read_bytes()).hexdigest() if place.is_file() else ""

    def _place(self, path: str) -> Path:
        """Where the file really is, behind links."""
        place = (self.root / path).resolve()
        if not place.is_relative_to(self.root.resolve()):
            raise InputError(
                f"{path} cannot be written",
                expected="a file of the checkout",
                found=f"a link to {place}",
                next_step="replace the link with a file, or leave the package out with `ignore`",
            )
        return place

    def _read_note(self) -> tuple[_Noted, ...]:
        if not self.note.is_file():
            return ()
        try:
            if self.note.stat().st_size > LARGEST_NOTE_BYTES:
                raise ValueError("too large")  # noqa: TRY301 - it ends like any other note that is not ours
            return tuple(_read_entry(entry) for entry in json.loads(self.note.read_text(encoding="utf-8")))
        except (ValueError, TypeError, KeyError) as error:
            raise InputError(
                f"{self.note} cannot be read",
                expected="the note of an interrupted `switchover version`",
                found=str(error),
                next_step="look what that run has changed (git status), take it back, delete the note and run again",
            ) from error


def _read_entry(entry: Any) -> _Noted:
    path, before, content = entry["path"], entry["before"], entry["content"]
    if not isinstance(path, str) or not isinstance(before, str) or not isinstance(content, str | None):
        raise TypeError("an entry has another shape")
    return _Noted(Edit(path, content), before)


def _digest_of(content: str | None) -> str:
    return "" if content is None else hashlib.sha256(content.encode("utf-8")).hexdigest()


def _replace(place: Path, content: str) -> None:
    """Give the file its content in one step, with the rights that it had."""
    place.parent.mkdir(parents=True, exist_ok=True)
    # Always the same name: what a killed run has left of it is written again and put in its place.
    fresh = place.with_name(f".{place.name}.switchover-new")
    with fresh.open("w", encoding="utf-8", newline="") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    if place.exists():
        shutil.copymode(place, fresh)
    fresh.replace(place)
