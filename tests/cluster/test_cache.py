from pathlib import Path

import pytest

from tests.cluster import cache


@pytest.fixture(name="build")
def _build(tmp_path: Path) -> "Builds":
    return Builds(tmp_path)


class Builds:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.times = 0

    def __call__(self, folder: Path) -> None:
        self.times += 1
        (folder / "program").write_text("built")

    def made(self, *inputs: str) -> Path:
        return cache.cached("part", inputs, self, root=self.root)


def test_the_same_inputs_are_built_once(build: Builds) -> None:
    assert build.made("a", "b") == build.made("a", "b")
    assert build.times == 1


def test_what_was_built_is_in_the_folder(build: Builds) -> None:
    assert (build.made("a") / "program").read_text() == "built"


def test_other_inputs_are_built_again_and_the_old_ones_stay(build: Builds) -> None:
    folders = {build.made("ab"), build.made("a", "b"), build.made("b", "a")}
    assert len(folders) == build.times == 3
    assert all(folder.is_dir() for folder in folders)


def test_a_build_that_fails_leaves_nothing_that_a_later_run_takes_for_whole(build: Builds) -> None:
    def fails(folder: Path) -> None:
        (folder / "half").write_text("")
        message = "no room"
        raise OSError(message)

    with pytest.raises(OSError, match="no room"):
        cache.cached("part", ["a"], fails, root=build.root)
    assert [path for path in build.root.iterdir() if path.is_dir()] == []
    assert (build.made("a") / "program").exists()
