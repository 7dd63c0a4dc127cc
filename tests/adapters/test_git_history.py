from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from switchover.adapters.git_history import GitHistory
from switchover.decide.edits import Edit
from switchover.errors import BusyError, InputError, TargetError
from tests.git_repository import Repository, new_repository

MESSAGE = "chore(release): a@1.1.0\n\nSwitchover-Release: a@1.1.0\n"
EDITS = (
    Edit(".changeset/x.md", None),
    Edit("a/CHANGELOG.md", "# a\n"),
    Edit("a/package.json", '{"version": "1.1.0"}\n'),
)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = new_repository(tmp_path / "repository")
    made.commit("chore: start", {"a/package.json": '{"version": "1.0.0"}\n', ".changeset/x.md": "---\n---\n"})
    return made


def test_commits_come_newest_first_with_their_paths_and_whole_messages(repository: Repository) -> None:
    repository.git("tag", "a@1.0.0")
    first = repository.commit("feat: ü\n\nbody\n\nRefs: 1", {"a/é ü.txt": "x", "[b]/*.txt": "y"})
    second = repository.commit("chore: nothing touched")
    commits = GitHistory(repository.root).read_commits("a@1.0.0")
    assert [commit.sha for commit in commits] == [second, first]
    assert commits[1].message.strip() == "feat: ü\n\nbody\n\nRefs: 1"
    assert [set(commit.paths) for commit in commits] == [set(), {"a/é ü.txt", "[b]/*.txt"}]


def test_paths_are_relative_to_the_workspace_below_the_repository(repository: Repository) -> None:
    repository.commit("feat: x", {"a/x.txt": "x"})
    commits = GitHistory(repository.root / "a").read_commits("")
    assert commits[0].paths == ("x.txt",)


def test_tags_are_those_that_head_contains(repository: Repository) -> None:
    repository.git("tag", "a@1.0.0")
    repository.git("switch", "--quiet", "--create", "other")
    repository.commit("feat: elsewhere")
    repository.git("tag", "a@2.0.0")
    repository.git("switch", "--quiet", "main")
    assert GitHistory(repository.root).read_tags() == ("a@1.0.0",)


def test_the_commit_that_added_a_changeset_is_known(repository: Repository) -> None:
    added = repository.commit("docs: y", {".changeset/y.md": "y"})
    repository.commit("docs: better", {".changeset/y.md": "yy"})
    repository.write(".changeset/z.md", "z")
    assert GitHistory(repository.root).read_adding_commits((".changeset/y.md", ".changeset/z.md")) == {
        ".changeset/y.md": added
    }


def test_edits_become_one_commit_and_the_work_tree_follows(repository: Repository) -> None:
    history = GitHistory(repository.root)
    commit = history.commit_edits(EDITS, MESSAGE)
    assert repository.git("rev-parse", "HEAD") == commit
    assert repository.git("status", "--porcelain") == ""
    assert (repository.root / "a/package.json").read_text(encoding="utf-8") == '{"version": "1.1.0"}\n'
    assert not (repository.root / ".changeset/x.md").exists()
    history.require_clean()


def test_the_same_edits_on_the_same_commit_have_the_same_hash(repository: Repository) -> None:
    start = repository.git("rev-parse", "HEAD")
    first = GitHistory(repository.root).commit_edits(EDITS, MESSAGE)
    repository.git("reset", "--quiet", "--hard", start)
    assert GitHistory(repository.root).commit_edits(EDITS, MESSAGE) == first


def interrupt(repository: Repository) -> None:
    """Let `commit_edits` end after HEAD has moved: somebody else's lock keeps it from the work tree."""
    lock = repository.root / ".git" / "index.lock"
    lock.touch()
    with pytest.raises(TargetError, match=r"index\.lock"):
        GitHistory(repository.root).commit_edits(EDITS, MESSAGE)
    lock.unlink()
    assert repository.git("log", "-1", "--format=%s") == "chore(release): a@1.1.0"
    assert '"1.0.0"' in (repository.root / "a/package.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("done", [(), ("a/package.json",), ("a/package.json", "a/CHANGELOG.md")])
def test_a_work_tree_that_a_killed_release_left_behind_is_brought_to_its_commit(
    repository: Repository, done: tuple[str, ...]
) -> None:
    interrupt(repository)
    if done:
        repository.git("checkout", "--quiet", "HEAD", "--", *done)
    GitHistory(repository.root).require_clean()
    assert repository.git("status", "--porcelain") == ""
    assert repository.git("for-each-ref", "refs/worktree") == ""


def test_work_done_after_a_killed_release_is_refused_and_kept(repository: Repository) -> None:
    interrupt(repository)
    repository.write("a/package.json", "mine")
    with pytest.raises(InputError, match=r"a/package\.json"):
        GitHistory(repository.root).require_clean()
    assert (repository.root / "a/package.json").read_text(encoding="utf-8") == "mine"


def test_a_release_commit_that_is_undone_by_hand_is_refused_and_kept(repository: Repository) -> None:
    GitHistory(repository.root).commit_edits(EDITS, MESSAGE)
    repository.git("checkout", "--quiet", "HEAD^", "--", "a/package.json")
    with pytest.raises(InputError, match=r"a/package\.json"):
        GitHistory(repository.root).require_clean()
    assert (repository.root / "a/package.json").read_text(encoding="utf-8") == '{"version": "1.0.0"}\n'


def test_an_interruption_is_forgotten_when_the_branch_has_moved_on(repository: Repository) -> None:
    interrupt(repository)
    repository.git("reset", "--quiet", "--hard", "HEAD^")
    GitHistory(repository.root).require_clean()
    repository.git("reset", "--quiet", "--hard", "HEAD@{1}")
    repository.git("checkout", "--quiet", "HEAD^", "--", "a/package.json")
    with pytest.raises(InputError, match=r"a/package\.json"):
        GitHistory(repository.root).require_clean()


@pytest.mark.parametrize("path", ["a/package.json", ".changeset/new.md"])
def test_uncommitted_changes_are_refused_by_name(repository: Repository, path: str) -> None:
    repository.write(path, "changed")
    with pytest.raises(InputError, match=path):
        GitHistory(repository.root).require_clean()


def test_files_that_nobody_tracks_do_not_matter(repository: Repository) -> None:
    repository.write("notes.txt", "mine")
    GitHistory(repository.root).require_clean()


def test_a_detached_head_is_refused(repository: Repository) -> None:
    repository.git("switch", "--quiet", "--detach")
    with pytest.raises(InputError, match="detached HEAD"):
        GitHistory(repository.root).require_clean()


def test_a_tag_is_annotated_repeatable_and_never_moved(repository: Repository) -> None:
    history = GitHistory(repository.root)
    commit = history.reserve("a@1.0.0", stored=False)
    assert history.tag("a@1.0.0", commit, "a@1.0.0\n")
    assert not history.tag("a@1.0.0", commit, "a@1.0.0\n")
    assert repository.git("cat-file", "-t", "a@1.0.0") == "tag"
    assert repository.git("for-each-ref", "refs/switchover") == ""
    later = repository.commit("feat: more")
    with pytest.raises(InputError, match=commit[:12]):
        history.tag("a@1.0.0", later, "a@1.0.0\n")


def test_what_has_stored_bytes_goes_on_from_its_commit_and_everything_else_from_head(repository: Repository) -> None:
    began = GitHistory(repository.root).reserve("a@1.0.0", stored=False)
    later = repository.commit("feat: more")
    assert GitHistory(repository.root).reserve("a@1.0.0", stored=True) == began
    assert GitHistory(repository.root).reserve("a@1.0.0", stored=False) == later
    assert GitHistory(repository.root).reserve("a@1.0.0", stored=True) == later
    repository.git("tag", "a@1.0.0", began)
    assert GitHistory(repository.root).reserve("a@1.0.0", stored=False) == began


def test_a_second_release_at_the_same_time_is_refused(repository: Repository) -> None:
    with GitHistory(repository.root).alone(), pytest.raises(BusyError), GitHistory(repository.root).alone():
        pass
    with GitHistory(repository.root).alone():
        pass


def test_what_is_no_repository_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not in a Git checkout"):
        GitHistory(tmp_path)
    with pytest.raises(InputError, match="is no folder"):
        GitHistory(tmp_path / "absent")
    new_repository(tmp_path / "empty")
    with pytest.raises(InputError, match="no history yet"):
        GitHistory(tmp_path / "empty")


def test_a_shallow_clone_is_recognised(repository: Repository, tmp_path: Path) -> None:
    repository.commit("feat: more")
    clone = ["git", "clone", "--quiet", "--depth=1", f"file://{repository.root}", str(tmp_path / "clone")]
    subprocess.run(clone, check=True)
    assert GitHistory(tmp_path / "clone").is_shallow()
    assert not GitHistory(repository.root).is_shallow()


def test_without_the_program_git_one_clear_error_says_so(tmp_path: Path) -> None:
    command = (sys.executable, "-m", "switchover.cli.main", "plan", "--repo", str(tmp_path))
    ended = subprocess.run(command, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "no git on the PATH" in ended.stderr
    assert "defect" not in ended.stderr
