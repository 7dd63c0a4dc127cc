from __future__ import annotations

import random
from pathlib import Path

import pytest

from switchover.adapters.git_history import GitHistory
from tests.git_repository import Repository, new_repository


def grow(repository: Repository, chance: random.Random) -> tuple[str, ...]:
    """A history with branches that are merged, and tags at some of its commits; the tags."""
    tags: list[str] = []
    heads = [repository.commit("chore: start")]
    for at in range(14):
        if len(heads) > 1 and chance.random() < 0.3:
            tree = repository.git("rev-parse", "HEAD^{tree}")
            parents = heads[:2]
            merged = repository.git("commit-tree", tree, *(f"-p{parent}" for parent in parents), "-m", f"merge {at}")
            heads = [merged, *heads[2:]]
        else:
            repository.git("checkout", "--quiet", "--detach", chance.choice(heads))
            made = repository.commit(f"fix: {at}", {f"x{at}.txt": str(at)})
            parent = repository.git("rev-parse", "HEAD^")
            heads = [head for head in heads if head != parent or chance.random() < 0.5]
            heads.append(made)
        if chance.random() < 0.5:
            tags.append(f"t{at}")
            kind = ["--annotate", "--message", "x"] if chance.random() < 0.5 else []
            repository.git("tag", *kind, tags[-1], heads[-1])
    while len(heads) > 1:
        tree = repository.git("rev-parse", "HEAD^{tree}")
        merged = repository.git("commit-tree", tree, f"-p{heads[0]}", f"-p{heads[1]}", "-m", "merge")
        heads = [merged, *heads[2:]]
    repository.git("checkout", "--quiet", "--detach", heads[0])
    return tuple(tags)


@pytest.mark.parametrize("seed", range(4))
def test_the_commits_since_many_points_are_those_that_git_names_for_each(tmp_path: Path, seed: int) -> None:
    repository = new_repository(tmp_path)
    tags = grow(repository, random.Random(seed))  # noqa: S311 - the same history every time
    hashed = repository.git("rev-parse", "HEAD~1")
    for points in (tags, (*tags, hashed), (*tags, ""), tags[:1], ()):
        read = GitHistory(tmp_path).read_commits(points)
        expected = {
            point: set(repository.git("rev-list", f"{point}..HEAD" if point else "HEAD").split()) for point in points
        }
        assert {point: {commit.sha for commit in commits} for point, commits in read.items()} == expected


def test_a_point_at_the_newest_commit_has_nothing_after_it(tmp_path: Path) -> None:
    repository = new_repository(tmp_path)
    repository.commit("feat: x", {"x.txt": "x"})
    for tag in ("a", "b"):
        repository.git("tag", tag)
    assert GitHistory(tmp_path).read_commits(("a", "b")) == {"a": (), "b": ()}


def test_trailers_are_found_where_they_stand_alone_on_a_line_and_the_newest_counts(tmp_path: Path) -> None:
    repository = new_repository(tmp_path)
    repository.commit("chore: one\n\nReleased: a@1.0.0")
    newest = repository.commit("chore: two\n\nReleased: a@1.0.0\nReleased: b@1.0.0")
    repository.commit("docs: about Released: c@1.0.0")
    assert GitHistory(tmp_path).find_trailers("Released") == {"a@1.0.0": newest, "b@1.0.0": newest}


def test_of_a_changeset_that_went_and_came_back_the_last_adding_counts(tmp_path: Path) -> None:
    repository = new_repository(tmp_path)
    repository.commit("docs: x", {".changeset/x.md": "x", ".changeset/pre/y.md": "y"})
    (tmp_path / ".changeset/x.md").unlink()
    repository.commit("docs: gone")
    again = repository.commit("docs: again", {".changeset/x.md": "x"})
    added = GitHistory(tmp_path).read_adding_commits((".changeset/x.md", ".changeset/pre/y.md", ".changeset/none.md"))
    assert added == {".changeset/x.md": again, ".changeset/pre/y.md": repository.git("rev-parse", "HEAD~2")}
