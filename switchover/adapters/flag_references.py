"""Where the code asks for flags: every call in the Python files of some folders, and what could not be read."""

from __future__ import annotations

import ast
import io
import os
import tokenize
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from switchover.adapters.flag_calls import METHODS, UNREADABLE, find_calls
from switchover.adapters.flag_constants import read_constants, read_imported_constants
from switchover.adapters.flag_mentions import PACKAGE, Mentions, find_mentions
from switchover.errors import InputError
from switchover.flags.hygiene import Reference
from switchover.operations.flag_debt import SourceScan, Unread

MAX_FILE_BYTES = 2_000_000
MAX_FILES = 100_000
_LEFT_OUT = frozenset({"node_modules", "site-packages", "__pycache__"})
_NO_CONSTANTS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A Python file. `name` is its path as it is shown, with `/`; `encoding` is that of its text."""

    path: Path
    name: str
    text: str
    encoding: str


@dataclass(slots=True)
class SourceTree:
    """The Python files below some folders, or the files that are named. Read once, then asked.

    Links, hidden folders, virtual environments and what others wrote (`node_modules`, `site-packages`) are left out.
    Raises `InputError` for a place that does not exist, and for more than `MAX_FILES` files.
    """

    roots: tuple[Path, ...]
    files: list[SourceFile] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    _mentions: dict[str, Mentions] = field(default_factory=dict)
    _modules: dict[str, list[str]] = field(default_factory=dict)
    _constants: dict[str, Mapping[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for path, name in _list_files(self.roots):
            read = _read(path, name)
            if isinstance(read, Unread):
                self.unread.append(read)
            else:
                self.files.append(read)
                self._place(name)

    def find_references(self) -> SourceScan:
        """Every call that asks for a flag, by file and line."""
        references: list[Reference] = []
        unread = list(self.unread)
        for file in self.files:
            try:
                references += self._find_in(file)
            except UNREADABLE as error:
                unread.append(Unread(file.name, _say(error)))
        return SourceScan(tuple(references), tuple(sorted(unread, key=lambda each: each.file)), len(self.files))

    def read_imported(self, file: SourceFile) -> Mapping[str, str]:
        """The imported names that stand for a text in this file. Raises `UNREADABLE`."""
        return read_imported_constants(ast.parse(file.text), lambda module, level: self._resolve(file, module, level))

    def find_outside(self, file: SourceFile) -> frozenset[str]:
        """The names that other files may take from this one, `*`: every public one."""
        parts = PurePath(file.name).with_suffix("").parts
        package = parts[-1] == "__init__"
        modules = frozenset({PACKAGE, *parts[-2:-1]} if package else parts[-1:])
        return frozenset().union(
            *(
                self._read_mentions(other).list_taken(modules)
                for other in self.files
                if other is not file and (package or parts[-1] in other.text)
            )
        )

    def _read_mentions(self, file: SourceFile) -> Mentions:
        if file.name not in self._mentions:
            self._mentions[file.name] = find_mentions(file.text)
        return self._mentions[file.name]

    def _find_in(self, file: SourceFile) -> Iterator[Reference]:
        if not any(method in file.text for method in METHODS):
            return
        constants = {**self.read_imported(file), **read_constants(ast.parse(file.text))}
        for call in find_calls(file.text, constants):
            yield Reference(file.name, call.line, call.method, call.key, call.expression, call.sure)

    def _place(self, name: str) -> None:
        """Under every dotted name by which an import may mean the file: `src.app.names`, `app.names`, `names`."""
        parts = PurePath(name).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        for start in range(len(parts)):
            self._modules.setdefault(".".join(parts[start:]), []).append(name)

    def _resolve(self, file: SourceFile, module: str, level: int) -> Mapping[str, str]:
        """The constants of a module that a file imports; none where it is not in the tree, or not surely."""
        if level:
            around = PurePath(file.name).parts[:-level]
            names = [
                each for each in self._modules.get(module or (around[-1] if around else ""), ())
                if PurePath(each).with_suffix("").parts in _placed(around, module)
            ]  # fmt: skip
        else:
            names = self._modules.get(module, [])
        return self._read_module(names[0]) if len(names) == 1 else _NO_CONSTANTS

    def _read_module(self, name: str) -> Mapping[str, str]:
        if name not in self._constants:
            file = next(each for each in self.files if each.name == name)
            try:
                self._constants[name] = read_constants(ast.parse(file.text))
            except UNREADABLE:
                self._constants[name] = _NO_CONSTANTS
        return self._constants[name]


def _placed(around: tuple[str, ...], module: str) -> tuple[tuple[str, ...], ...]:
    parts = (*around, *(module.split(".") if module else ()))
    return parts, (*parts, "__init__")


def _list_files(roots: Iterable[Path]) -> Iterator[tuple[Path, str]]:
    count = 0
    for root in roots:
        if not root.exists():
            raise InputError(
                "the sources cannot be searched",
                expected="folders or Python files that exist",
                found=f"nothing at {root}",
                next_step="correct the path",
            )
        for path in _walk(root):
            count += 1
            if count > MAX_FILES:
                raise InputError(
                    "the sources cannot be searched",
                    expected=f"at most {MAX_FILES} Python files",
                    found=f"more of them below {root}",
                    next_step="name the folders of your own code only",
                )
            yield path, _show(path)


def _show(path: Path) -> str:
    """The path as a person who stands here writes it."""
    here = Path.cwd()
    return (path.absolute().relative_to(here) if path.absolute().is_relative_to(here) else path).as_posix()


def _walk(root: Path) -> Iterator[Path]:
    if root.is_file():
        yield root
        return
    for folder, folders, files in os.walk(root):
        here = Path(folder)
        folders[:] = sorted(name for name in folders if not _is_left_out(here / name))
        for name in sorted(files):
            path = here / name
            if path.suffix in {".py", ".pyw"} and not path.is_symlink() and path.is_file():
                yield path


def _is_left_out(folder: Path) -> bool:
    return (
        folder.name.startswith(".")
        or folder.name in _LEFT_OUT
        or folder.is_symlink()
        or (folder / "pyvenv.cfg").exists()
    )


def _read(path: Path, name: str) -> SourceFile | Unread:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            return Unread(name, f"it has more than {MAX_FILE_BYTES} bytes")
        content = path.read_bytes()
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
        return SourceFile(path, name, content.decode(encoding), encoding)
    except (OSError, SyntaxError, UnicodeDecodeError, LookupError) as error:
        return Unread(name, _say(error))


def _say(error: Exception) -> str:
    if isinstance(error, RecursionError | MemoryError):
        return "it is nested too deeply"
    if isinstance(error, SyntaxError) and error.lineno is not None:
        return f"line {error.lineno}: {error.msg}"
    return " ".join(str(error).split())
