"""The files of a checkout, whether they lie in the work tree or, in a sparse checkout, only in its last commit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from switchover.adapters.git_program import GitProgram, answers, run
from switchover.decide.globs import expand_braces, is_glob, matches
from switchover.errors import InputError

# What tells a workspace; of everything else that is not checked out hardly anything is ever asked for.
MANIFESTS = frozenset({"package.json", "pyproject.toml", "pnpm-workspace.yaml", "lerna.json"})
CHANGESETS = ".changeset/"
LEFT_OUT = "node_modules"


class CheckoutFiles:
    """Files below `root` by paths with `/`. What is not checked out is read from HEAD; what was deleted is gone."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._left_out = _list_left_out(root)
        # All that planning asks for at once: one answer of git takes as long as another.
        self._hidden = _read_hidden(root, [path for path in self._left_out if _tells(path)])
        self._hidden_folders = {str(parent) for path in self._hidden for parent in PurePosixPath(path).parents}

    def read(self, path: str) -> str | None:
        """The text with its line ends as they are; None where there is no such file."""
        file = self._root / path
        content = file.read_bytes() if file.is_file() else self._read_left_out(path)
        try:
            return None if content is None else content.decode("utf-8")
        except UnicodeDecodeError as error:
            raise InputError(
                f"{path} cannot be read", expected="UTF-8", found=str(error), next_step="correct the file"
            ) from error

    def has(self, path: str) -> bool:
        """Whether there is such a file."""
        return path in self._left_out or (self._root / path).is_file()

    def has_folder(self, folder: str) -> bool:
        """Whether there is such a folder, checked out or not."""
        return (self._root / folder).is_dir() or any(path.startswith(f"{folder}/") for path in self._left_out)

    def list_files(self, folder: str) -> tuple[str, ...]:
        """The names of the files right in a folder, sorted."""
        place = self._root / folder
        there = {each.name for each in place.iterdir() if each.is_file()} if place.is_dir() else set()
        hidden = {str(PurePosixPath(path).name) for path in self._hidden if str(PurePosixPath(path).parent) == folder}
        return tuple(sorted(there | hidden))

    def find_folders(self, pattern: str) -> set[str]:
        """The folders that a glob names, without those below `node_modules`."""
        parts = (tuple(part for part in plain.split("/") if part != ".") for plain in expand_braces(pattern))
        return {folder for each in parts for folder in self._walk("", each)}

    def _read_left_out(self, path: str) -> bytes | None:
        if path in self._left_out and path not in self._hidden:
            self._hidden |= _read_hidden(self._root, [path])
        return self._hidden.get(path)

    def _walk(self, folder: str, segments: tuple[str, ...]) -> Iterator[str]:
        if not segments:
            yield folder
            return
        head, *rest = segments
        if head == "**":
            yield from self._walk(folder, tuple(rest))
            for name in self._list_folders(folder):
                yield from self._walk(_join(folder, name), segments)
        elif is_glob(head):
            for name in self._list_folders(folder):
                if matches(head, name):
                    yield from self._walk(_join(folder, name), tuple(rest))
        elif (self._root / folder / head).is_dir() or _join(folder, head) in self._hidden_folders:
            yield from self._walk(_join(folder, head), tuple(rest))

    def _list_folders(self, folder: str) -> list[str]:
        place = self._root / folder
        there = {each.name for each in place.iterdir() if each.is_dir()} if place.is_dir() else set()
        there |= {
            str(PurePosixPath(each).name)
            for each in self._hidden_folders
            if each != "." and str(PurePosixPath(each).parent) == (folder or ".")
        }
        return sorted(name for name in there if name != LEFT_OUT and not name.startswith("."))


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _tells(path: str) -> bool:
    return path.startswith(CHANGESETS) or PurePosixPath(path).name in MANIFESTS


def _list_left_out(root: Path) -> frozenset[str]:
    """The paths of everything that a sparse checkout leaves out on purpose: git marks it with the letter S."""
    if not _may_be_sparse(root):
        return frozenset()
    program = GitProgram(root)
    if answers(program, "config", "--bool", "core.sparseCheckout") != "true":
        return frozenset()
    listed = run(program, "ls-files", "-t", "-z").split("\0")
    return frozenset(line[2:] for line in listed if line.startswith("S "))


def _read_hidden(root: Path, paths: Sequence[str]) -> dict[str, bytes]:
    """The content of these files in HEAD, by path."""
    if not paths:
        return {}
    program = GitProgram(root)
    prefix = run(program, "rev-parse", "--show-prefix")
    asked = "".join(f"HEAD:{prefix}{path}\n" for path in paths)
    printed = run(program, "cat-file", "--batch", text=asked).encode("utf-8", "surrogateescape")
    contents: dict[str, bytes] = {}
    for path in paths:
        head, _, printed = printed.partition(b"\n")
        if head.endswith(b" missing"):
            continue
        size = int(head.rpartition(b" ")[2])
        contents[path] = printed[:size]
        printed = printed[size + 1 :]
    return contents


def _may_be_sparse(root: Path) -> bool:
    """Whether git is worth asking: a plain checkout that was never sparse has no list of what is in it."""
    tops = (folder / ".git" for folder in (root.absolute(), *root.absolute().parents))
    top = next((each for each in tops if each.exists()), None)
    return top is not None and (not top.is_dir() or (top / "info" / "sparse-checkout").exists())
