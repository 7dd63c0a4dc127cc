"""The folders with the code that asks for flags: searched, and rewritten without a flag."""

from __future__ import annotations

import difflib
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from switchover.adapters.flag_answers import Answer
from switchover.adapters.flag_references import SourceFile, SourceTree
from switchover.adapters.flag_removal import Removal, remove_flag
from switchover.errors import InputError, TargetError
from switchover.flags.snapshot import Json
from switchover.operations.flag_debt import FileRemoval, RemovalPlan, SourceScan


@dataclass(frozen=True, slots=True)
class FolderSources:
    """The Python files below these folders, or these files themselves, as `SourceTree` reads them."""

    roots: tuple[Path, ...]

    def find_references(self) -> SourceScan:
        """Every call that asks for a flag. Raises `InputError` for a place that does not exist."""
        return SourceTree(self.roots).find_references()

    def plan_removal(self, key: str, value: Json, variant: str | None) -> RemovalPlan:
        """The code without the flag. What cannot be rewritten is named, and no reason to leave the rest.

        Applying it raises `TargetError` for a file that cannot be written or that changed in between.
        """
        tree = SourceTree(self.roots)
        scan = tree.find_references()
        asking = {each.file for each in scan.references if each.key == key}
        files: list[FileRemoval] = []
        effects: list[Callable[[], None]] = []
        for file in tree.files:
            if file.name not in asking:
                continue
            try:
                removal = remove_flag(
                    file.text,
                    key,
                    Answer(value, variant),
                    tree.read_imported(file),
                    exports_imports=file.path.name == "__init__.py",
                    outside=tree.find_outside(file),
                )
            except InputError as error:
                reason = f"{file.name}: it still asks and could not be rewritten: {error.problem.found}"
                files.append(FileRemoval(file.name, "", (reason,), ()))
                continue
            files.append(_describe(file, removal))
            if removal.new_source != file.text:
                effects.append(_writing(file, removal.new_source))
        return RemovalPlan(tuple(files), scan.unread, lambda: _do_all(effects))


def _do_all(effects: Sequence[Callable[[], None]]) -> None:
    for effect in effects:
        effect()


def _describe(file: SourceFile, removal: Removal) -> FileRemoval:
    diff = difflib.unified_diff(
        file.text.splitlines(keepends=True),
        removal.new_source.splitlines(keepends=True),
        f"a/{file.name.lstrip('/')}",
        f"b/{file.name.lstrip('/')}",
    )
    return FileRemoval(
        file.name,
        "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in diff),
        tuple(f"{file.name}:{each.line}: {each.text}" for each in removal.left),
        tuple(f"{file.name}:{each.line}: {each.text}" for each in removal.remaining),
    )


def _writing(file: SourceFile, text: str) -> Callable[[], None]:
    def write() -> None:
        """Replace the file whole, with the rights that it has."""
        beside: str | None = None
        try:
            if file.path.read_bytes() != file.text.encode(file.encoding):
                raise _refuse(file, "it changed while it was read")
            handle, beside = tempfile.mkstemp(dir=file.path.parent, prefix=f".{file.path.name}.")
            with os.fdopen(handle, "wb") as new:
                new.write(text.encode(file.encoding))
            Path(beside).chmod(file.path.stat().st_mode & 0o7777)
            Path(beside).replace(file.path)
        except OSError as error:
            if beside is not None:
                Path(beside).unlink(missing_ok=True)
            raise _refuse(file, str(error)) from error

    return write


def _refuse(file: SourceFile, found: str) -> TargetError:
    return TargetError(
        f"{file.name} was not rewritten",
        expected="a file that nobody else changes, and the right to replace it",
        found=found,
        next_step="repeat it: what is rewritten already stays as it is",
    )
