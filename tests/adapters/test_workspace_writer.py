from __future__ import annotations

import os
from pathlib import Path

import pytest

from switchover.adapters.workspace_writer import WorkspaceWriter
from switchover.decide.edits import Edit
from switchover.errors import InputError
from tests.git_repository import new_repository

EDITS = (Edit("a.txt", "a2\r\n"), Edit("b/new.txt", "b2"), Edit("c.txt", "c2"), Edit("gone.md", None))


def start(root: Path) -> WorkspaceWriter:
    new_repository(root).commit("chore: start", {"a.txt": "a1", "c.txt": "c1", "gone.md": "g"})
    return WorkspaceWriter.of_checkout(root)


def read(root: Path) -> dict[str, str]:
    files = (path for path in root.rglob("*") if path.is_file() and ".git" not in path.relative_to(root).parts)
    return {path.relative_to(root).as_posix(): path.read_bytes().decode() for path in files}


WANTED = {"a.txt": "a2\r\n", "b/new.txt": "b2", "c.txt": "c2"}


def test_edits_are_written_as_they_stand_and_leave_nothing_else(tmp_path: Path) -> None:
    writer = start(tmp_path)
    (tmp_path / "a.txt").chmod(0o755)
    writer.write(EDITS)
    assert read(tmp_path) == WANTED
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o755
    assert not writer.note.exists()
    assert writer.finish() == ()


class Killed(BaseException):
    """Stands for the end of the process: nothing catches it."""


class Dying(WorkspaceWriter):
    """Dies when it is about to make its n-th change."""

    __slots__ = ()
    left = 0

    def _place(self, path: str) -> Path:
        # Every change looks for its place; looking at a digest does too, before the first one.
        if type(self).left == 0:
            raise Killed
        type(self).left -= 1
        return super()._place(path)


@pytest.mark.parametrize("steps", range(9))
def test_a_run_that_was_killed_anywhere_is_finished_or_has_not_begun(tmp_path: Path, steps: int) -> None:
    writer = start(tmp_path)
    Dying.left = steps
    try:
        Dying(writer.root, writer.note).write(EDITS)
    except Killed:
        before = {"a.txt": "a1", "c.txt": "c1", "gone.md": "g"}
        finished = writer.finish()
        assert read(tmp_path) == (WANTED if finished else before)
        assert writer.finish() == ()
        if not finished:
            writer.write(EDITS)
    assert read(tmp_path) == WANTED
    assert not writer.note.exists()


def half_way(root: Path) -> WorkspaceWriter:
    writer = start(root)
    Dying.left = 6
    with pytest.raises(Killed):
        Dying(writer.root, writer.note).write(EDITS)
    assert read(root)["b/new.txt"] == "b2"
    assert read(root)["c.txt"] == "c1"
    return writer


def test_what_somebody_has_changed_since_is_not_overwritten(tmp_path: Path) -> None:
    writer = half_way(tmp_path)
    (tmp_path / "c.txt").write_text("mine")
    with pytest.raises(InputError, match=r"c\.txt as it was before"):
        writer.finish()
    assert read(tmp_path)["c.txt"] == "mine"


def test_a_half_written_run_that_was_taken_back_has_not_begun(tmp_path: Path) -> None:
    writer = half_way(tmp_path)
    (tmp_path / "a.txt").write_text("a1")
    (tmp_path / "b/new.txt").unlink()
    assert writer.finish() == ()
    assert not writer.note.exists()


def test_a_note_of_another_shape_is_refused(tmp_path: Path) -> None:
    writer = start(tmp_path)
    for text in ("{", "[1]", '[{"path": 1, "before": "", "content": ""}]', "7"):
        writer.note.write_text(text)
        with pytest.raises(InputError, match="cannot be read"):
            writer.finish()


def test_a_link_is_followed_within_the_checkout_and_refused_beyond(tmp_path: Path) -> None:
    writer = start(tmp_path / "checkout")
    root = tmp_path / "checkout"
    (root / "link.txt").symlink_to("a.txt")
    writer.write((Edit("link.txt", "through"),))
    assert (root / "link.txt").is_symlink()
    assert (root / "a.txt").read_text() == "through"
    (tmp_path / "outside.txt").write_text("theirs")
    (root / "out.txt").symlink_to(os.path.join("..", "outside.txt"))  # noqa: PTH118 - the text of the link
    with pytest.raises(InputError, match=r"out\.txt cannot be written"):
        writer.write((Edit("out.txt", "ours"),))
    assert (tmp_path / "outside.txt").read_text() == "theirs"
