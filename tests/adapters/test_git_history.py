from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from switchover.adapters.git_history import GitHistory
from switchover.decide.edits import Edit
from switchover.errors import BusyError, InputError, TargetError
from tests.git_repository import Repository, clone, new_repository

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
    commits = GitHistory(repository.root).read_commits(("a@1.0.0",))["a@1.0.0"]
    assert [commit.sha for commit in commits] == [second, first]
    assert commits[1].message.strip() == "feat: ü\n\nbody\n\nRefs: 1"
    assert [set(commit.paths) for commit in commits] == [set(), {"a/é ü.txt", "[b]/*.txt"}]


def test_paths_are_relative_to_the_workspace_below_the_repository(repository: Repository) -> None:
    repository.commit("feat: x", {"a/x.txt": "x"})
    commits = GitHistory(repository.root / "a").read_commits(("",))[""]
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
    assert repository.git("for-each-ref", "refs/worktree/switchover-unfinished") == ""


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


def test_marks_are_noted_beside_branches_and_tags_until_they_are_dropped(repository: Repository) -> None:
    history = GitHistory(repository.root)
    commit = history.reserve("@acme/ui@1.0.0", stored=False)
    history.mark("v2.0.0", commit)
    assert history.read_marks() == {"@acme/ui@1.0.0": commit, "v2.0.0": commit}
    history.drop_mark("v2.0.0")
    history.drop_mark("v2.0.0")
    assert history.read_marks() == {"@acme/ui@1.0.0": commit}
    assert repository.git("tag", "--list") == ""


def test_a_release_is_withdrawn_once_with_its_reason(repository: Repository) -> None:
    history = GitHistory(repository.root)
    head = repository.git("rev-parse", "HEAD")
    history.tag("a@1.0.0", head, "a@1.0.0\n")
    assert history.read_withdrawn() == ()
    assert history.withdraw("a@1.0.0", "It deletes what it should keep.")
    assert not history.withdraw("a@1.0.0", "Another reason.")
    assert history.read_withdrawn() == ("a@1.0.0",)
    assert "deletes what it should keep" in repository.git("cat-file", "tag", "withdrawn/a@1.0.0")
    assert repository.git("rev-parse", "withdrawn/a@1.0.0^{commit}") == head


def test_a_tag_of_a_commit_that_the_clone_lacks_is_refused(repository: Repository, tmp_path: Path) -> None:
    older = repository.git("rev-parse", "HEAD")
    repository.commit("feat: more")
    shallow = clone(repository, tmp_path / "shallow", "--depth=1")
    with pytest.raises(InputError, match=f"{older[:12]}[\\s\\S]*git fetch --unshallow"):
        GitHistory(shallow.root).tag("a@1.0.0", older, "a@1.0.0\n")


def test_what_was_never_tagged_cannot_be_withdrawn(repository: Repository) -> None:
    with pytest.raises(InputError, match=r"a@9\.9\.9 cannot be withdrawn[\s\S]*no such tag"):
        GitHistory(repository.root).withdraw("a@9.9.9", "reason")


def test_a_commit_is_written_without_moving_anything_and_is_the_one_that_would_be_committed(
    repository: Repository,
) -> None:
    head = repository.git("rev-parse", "HEAD")
    written = GitHistory(repository.root).write_commit(EDITS, MESSAGE)
    assert repository.git("rev-parse", "HEAD") == head
    assert repository.git("status", "--porcelain") == ""
    assert repository.git("rev-parse", f"{written}^") == head
    assert GitHistory(repository.root).commit_edits(EDITS, MESSAGE) == written


def test_edits_below_the_root_of_the_repository_keep_the_mode_of_their_files(repository: Repository) -> None:
    script = repository.root / "a" / "run.sh"
    script.write_text("#!/bin/sh\n", encoding="utf-8")
    script.chmod(0o755)
    repository.commit("feat: run")
    commit = GitHistory(repository.root / "a").commit_edits((Edit("run.sh", "#!/bin/sh\nexit 0\n"),), "fix: run\n")
    assert repository.git("ls-tree", commit, "a/run.sh").startswith("100755 ")
    assert repository.git("show", "--format=", "--name-only", commit) == "a/run.sh"
    assert repository.git("status", "--porcelain") == ""


def test_the_branch_is_known_and_a_detached_head_has_none(repository: Repository) -> None:
    assert GitHistory(repository.root).branch() == "main"
    repository.git("switch", "--quiet", "--create", "next/beta")
    assert GitHistory(repository.root).branch() == "next/beta"
    repository.git("switch", "--quiet", "--detach")
    assert GitHistory(repository.root).branch() == ""


def mend(repository: Repository) -> str:
    """The command with which the refusal of a detached HEAD ends."""
    with pytest.raises(InputError, match="detached HEAD") as refused:
        GitHistory(repository.root).require_clean()
    return refused.value.problem.next_step.removeprefix("check a branch out: ")


@pytest.mark.parametrize("known", ["nothing", "an older branch", "the branch"])
def test_a_commit_that_a_build_system_checked_out_gets_the_command_that_mends_it(
    repository: Repository, tmp_path: Path, known: str
) -> None:
    """GitLab checks out commits, and has their branch as one of the remote."""
    checkout = clone(repository, tmp_path / "builds")
    checkout.git("switch", "--quiet", "--detach")
    if known == "nothing":
        checkout.git("branch", "--quiet", "-D", "main")
    if known == "an older branch":
        repository.commit("feat: newer")
        checkout.git("fetch", "--quiet")
        checkout.git("switch", "--quiet", "--detach", "origin/main")
    command = mend(checkout)
    subprocess.run(command, shell=True, cwd=checkout.root, check=True, capture_output=True)  # noqa: S602 it is ours
    GitHistory(checkout.root).require_clean()
    assert checkout.git("branch", "--show-current") == "main"
    assert checkout.git("rev-parse", "HEAD") == repository.git("rev-parse", "HEAD")


def test_a_merge_that_is_not_finished_is_refused(repository: Repository) -> None:
    repository.git("switch", "--quiet", "--create", "other")
    repository.commit("feat: elsewhere", {"b.txt": "b"})
    repository.git("switch", "--quiet", "main")
    repository.commit("feat: here", {"c.txt": "c"})
    repository.git("merge", "--quiet", "--no-commit", "--no-ff", "other")
    with pytest.raises(InputError, match=r"a merge is not finished[\s\S]*git merge --abort"):
        GitHistory(repository.root).require_clean()


def sign_with_ssh(repository: Repository, folder: Path) -> None:
    """Let Git sign everything, as a global configuration often does."""
    key = folder / "key"
    keygen = shutil.which("ssh-keygen") or "ssh-keygen"
    subprocess.run([keygen, "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    for name, value in {
        "gpg.format": "ssh",
        "user.signingkey": str(key),
        "commit.gpgSign": "true",
        "tag.gpgSign": "true",
        "log.showSignature": "true",
    }.items():
        repository.git("config", name, value)


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="Git signs with ssh-keygen here, which is not there")
def test_commits_and_tags_are_signed_where_git_is_told_to(repository: Repository, tmp_path: Path) -> None:
    sign_with_ssh(repository, tmp_path)
    history = GitHistory(repository.root)
    commit = history.commit_edits(EDITS, MESSAGE)
    assert history.tag("a@1.1.0", commit, "a@1.1.0\n")
    for kind, name in (("commit", commit), ("tag", "a@1.1.0")):
        assert "BEGIN SSH SIGNATURE" in repository.git("cat-file", kind, name)
    dates = repository.git("for-each-ref", "--format=%(taggerdate:unix) %(*committerdate:unix)", "refs/tags")
    assert len(set(dates.split())) == 1
    history.require_clean()


def test_a_key_that_is_missing_is_one_clear_error_and_nothing_moves(repository: Repository) -> None:
    head = repository.git("rev-parse", "HEAD")
    for name in ("commit.gpgSign", "tag.gpgSign"):
        repository.git("config", name, "true")
    repository.git("config", "gpg.program", "false")
    history = GitHistory(repository.root)
    with pytest.raises(InputError, match=r"the release commit cannot be signed[\s\S]*commit\.gpgSign false"):
        history.commit_edits(EDITS, MESSAGE)
    with pytest.raises(InputError, match=r"the tag a@1\.0\.0 cannot be signed[\s\S]*tag\.gpgSign false"):
        history.tag("a@1.0.0", head, "a@1.0.0\n")
    assert repository.git("rev-parse", "HEAD") == head
    assert not history.has_tag("a@1.0.0")
    history.require_clean()
