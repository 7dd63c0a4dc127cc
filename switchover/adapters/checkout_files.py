"""The files of a checkout, whether they lie in the work tree or, in a sparse checkout, only in its last commit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from switchover.adapters.git_program import GitProgram, answers, run
from switchover.decide.globs import expand_braces, is_glob, matches
from switchover.errors import InputError

# What tells a workspace; everything else that is not checked out is of no interest.
MANIFESTS = frozenset({"package.json", "pyproject.toml", "pnpm-workspace.yaml", "lerna.json"})
CHANGESETS = ".changeset/"
LEFT_OUT = "node_modules"


class CheckoutFiles:
    """Files below `root` by paths with `/`. What is not checked out is read from HEAD; what was deleted is gone."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._hidden = _read_hidden(root)
        self._hidden_folders = {str(parent) for path in self._hidden for parent in PurePosixPath(path).parents}

    def read(self, path: str) -> str | None:
        """The text with its line ends as they are; None where there is no such file."""
        file = self._root / path
        if not file.is_file():
            return self._hidden.get(path)
        try:
            with file.open(encoding="utf-8", newline="") as stream:
                return stream.read()
        except UnicodeDecodeError as error:
            raise InputError(
                f"{path} cannot be read", expected="UTF-8", found=str(error), next_step="correct the file"
            ) from error

    def has(self, path: str) -> bool:
        """Whether there is such a file."""
        return path in self._hidden or (self._root / path).is_file()

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


def _read_hidden(root: Path) -> dict[str, str]:
    """The texts that a sparse checkout leaves out, by path."""
    if not _may_be_sparse(root):
        return {}
    program = GitProgram(root)
    if answers(program, "config", "--bool", "core.sparseCheckout") != "true":
        return {}
    # The letter S marks what the checkout leaves out on purpose.
    listed = (line[2:] for line in run(program, "ls-files", "-t", "-z").split("\0") if line.startswith("S "))
    paths = [path for path in listed if path.startswith(CHANGESETS) or PurePosixPath(path).name in MANIFESTS]
    if not paths:
        return {}
    prefix = run(program, "rev-parse", "--show-prefix")
    asked = "".join(f"HEAD:{prefix}{path}\n" for path in paths)
    printed = run(program, "cat-file", "--batch", text=asked).encode("utf-8", "surrogateescape")
    texts: dict[str, str] = {}
    for path in paths:
        head, _, printed = printed.partition(b"\n")
        if head.endswith(b" missing"):
            continue
        size = int(head.rpartition(b" ")[2])
        texts[path] = printed[:size].decode("utf-8", "replace")
        printed = printed[size + 1 :]
    return texts


def _may_be_sparse(root: Path) -> bool:
    """Whether git is worth asking: a plain checkout that was never sparse has no list of what is in it."""
    tops = (folder / ".git" for folder in (root.absolute(), *root.absolute().parents))
    top = next((each for each in tops if each.exists()), None)
    return top is not None and (not top.is_dir() or (top / "info" / "sparse-checkout").exists())
