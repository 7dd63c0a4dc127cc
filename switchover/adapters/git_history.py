"""The Git history behind a workspace: what was committed since a release, and the commits and tags of new ones."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from switchover.adapters.git_commits import find_commit, make_commit, put_tag
from switchover.adapters.git_log import find_trailers, read_adding_commits, read_commits_since
from switchover.adapters.git_program import answers, open_checkout, run
from switchover.adapters.git_work_tree import find_branch, require_branch, require_committed, require_whole
from switchover.decide.edits import Edit
from switchover.decide.versions import Commit
from switchover.errors import BusyError, InputError

# The release commit whose files the work tree may not have yet. Every work tree has refs/worktree of its own.
UNFINISHED = "refs/worktree/switchover-unfinished"
# The release commit that the remote may not have yet.
UNSHARED = "refs/worktree/switchover-unshared"
# What a release under way is made from, outside the branches and tags: nobody has to look at it.
MARKS = "refs/switchover/under-way/"
WITHDRAWN = "withdrawn/"


class GitHistory:
    """History of the checkout that holds `root`; paths are relative to `root`.

    Raises `InputError` where there is no checkout or no commit, `MissingProgramError` without git.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._git = open_checkout(root)
        self._git_folder = (root / run(self._git, "rev-parse", "--git-common-dir")).resolve()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Be the only release of this repository on this machine; `BusyError` when there is another one."""
        with (self._git_folder / "switchover-release.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise BusyError(
                    "a release of this repository is under way",
                    expected="one release at a time",
                    found=f"another process holds {lock.name}",
                    next_step="wait until it has ended, then run again",
                ) from error
            yield

    def read_tags(self, *, everywhere: bool = False) -> tuple[str, ...]:
        """Tags of commits that HEAD contains, or of all, sorted."""
        reach = () if everywhere else ("--merged", "HEAD")
        return tuple(sorted(run(self._git, "tag", "--list", *reach).split()))

    def read_commits(self, since: tuple[str, ...]) -> dict[str, tuple[Commit, ...]]:
        """For each point (a tag, a hash of a commit, or empty: the beginning) the commits after it, newest first."""
        return read_commits_since(self._git, since)

    def find_trailers(self, token: str) -> dict[str, str]:
        """The newest commit for each value of `token: value` as a line of its message."""
        return find_trailers(self._git, token)

    def is_shallow(self) -> bool:
        """Whether the history is cut off somewhere."""
        return run(self._git, "rev-parse", "--is-shallow-repository") == "true"

    def read_adding_commits(self, paths: tuple[str, ...]) -> dict[str, str]:
        """For each committed path the hash of the commit that added it last."""
        return read_adding_commits(self._git, paths)

    def require_clean(self) -> None:
        """Raise `InputError` unless the work tree is a branch without uncommitted changes.

        What an interrupted `commit_edits` left undone in the work tree is finished here, and nothing else changed.
        """
        require_branch(self._git)
        require_whole(self._git)
        self._finish_interrupted()
        require_committed(self._git)

    def commit_edits(self, edits: tuple[Edit, ...], message: str) -> str:
        """Commit exactly these edits on top of HEAD and bring the work tree there; return the new hash.

        The same edits on the same HEAD give the same hash, unless Git is told to sign. `InputError` where it is and
        cannot.
        """
        commit = self.write_commit(edits, message)
        run(self._git, "update-ref", UNSHARED, commit)
        self._advance(commit)
        return commit

    def write_commit(self, edits: tuple[Edit, ...], message: str) -> str:
        """Make the commit that `commit_edits` would make, without moving anything; return its hash."""
        return make_commit(self._git, run(self._git, "rev-parse", "HEAD"), edits, message)

    def _advance(self, commit: str) -> None:
        """Bring HEAD and the work tree to a commit on top of it."""
        named = run(self._git, "diff-tree", "-r", "-z", "--name-only", "--no-commit-id", "--relative", commit)
        subject = run(self._git, "log", "-1", "--format=%s", commit)
        run(self._git, "update-ref", UNFINISHED, commit)
        run(self._git, "update-ref", "-m", subject, "HEAD", commit, run(self._git, "rev-parse", f"{commit}^"))
        self._bring_work_tree(tuple(path for path in named.split("\0") if path))
        run(self._git, "update-ref", "-d", UNFINISHED)

    def reserve(self, tag: str, *, stored: bool) -> str:
        """The commit that the release behind `tag` is made from; what no tag says is marked.

        It is the tag's, else the marked one where bytes made of it are `stored` already, else that of HEAD.
        """
        marked = answers(self._git, "rev-parse", "--verify", "--quiet", MARKS + tag) if stored else ""
        known = find_commit(self._git, f"refs/tags/{tag}") or marked
        if known:
            return known
        head = run(self._git, "rev-parse", "HEAD")
        self.mark(tag, head)
        return head

    def mark(self, tag: str, commit: str) -> None:
        """Note that the release behind `tag` is under way and made from `commit`."""
        run(self._git, "update-ref", MARKS + tag, commit)

    def read_marks(self) -> dict[str, str]:
        """The releases under way: their tags with the commits that they are made from."""
        lines = run(self._git, "for-each-ref", "--format=%(objectname) %(refname)", MARKS).splitlines()
        return {line.partition(" ")[2].removeprefix(MARKS): line.partition(" ")[0] for line in lines}

    def drop_mark(self, tag: str) -> None:
        """Forget that the release behind `tag` was under way."""
        run(self._git, "update-ref", "-d", MARKS + tag)

    def tag(self, tag: str, commit: str, message: str) -> bool:
        """Put an annotated tag; False when it is there already. `InputError` when it is somewhere else."""
        return put_tag(self._git, tag, commit, message)

    def withdraw(self, tag: str, reason: str) -> bool:
        """Note, by the tag `withdrawn/<tag>`, that the release behind `tag` is withdrawn; False when that is noted.

        `InputError` where there is no such tag.
        """
        commit = find_commit(self._git, f"refs/tags/{tag}")
        if not commit:
            raise InputError(
                f"{tag} cannot be withdrawn",
                expected="the tag of a release",
                found="no such tag in this checkout",
                next_step="name a release that `git tag` shows; those of the shared repository come with: "
                "git fetch --tags",
            )
        return put_tag(self._git, WITHDRAWN + tag, commit, f"{tag} is withdrawn\n\n{reason}\n")

    def read_withdrawn(self) -> tuple[str, ...]:
        """The tags of withdrawn releases, sorted."""
        shape = "--format=%(refname:lstrip=3)"
        return tuple(sorted(run(self._git, "for-each-ref", shape, f"refs/tags/{WITHDRAWN}").split()))

    def branch(self) -> str:
        """The branch that is checked out, empty for a detached HEAD."""
        return find_branch(self._git)

    def has_commit(self, commit: str) -> bool:
        """Whether the repository has the commit."""
        return bool(find_commit(self._git, commit))

    def has_tag(self, tag: str) -> bool:
        """Whether the tag exists."""
        return bool(answers(self._git, "rev-parse", "--verify", "--quiet", f"refs/tags/{tag}"))

    def _finish_interrupted(self) -> None:
        """Where the unfinished commit is HEAD and a file is still as before it, the file follows."""
        unfinished = answers(self._git, "rev-parse", "--verify", "--quiet", UNFINISHED)
        if not unfinished:
            return
        # Elsewhere HEAD never got there, or somebody has moved it since: the work tree is theirs.
        if unfinished == run(self._git, "rev-parse", "HEAD"):
            named = run(self._git, "diff-tree", "-r", "-z", "--name-only", "--no-commit-id", "--relative", "HEAD")
            paths = [path for path in named.split("\0") if path]
            self._bring_work_tree(
                tuple(path for path in paths if self._hash_work_file(path) == self._hash_in("HEAD^", path))
            )
        run(self._git, "update-ref", "-d", UNFINISHED)

    def _hash_in(self, commit: str, path: str) -> str:
        return answers(self._git, "rev-parse", "--verify", "--quiet", f"{commit}:./{path}")

    def _hash_work_file(self, path: str) -> str:
        return answers(self._git, "hash-object", "--", path) if (self._root / path).is_file() else ""

    def _bring_work_tree(self, paths: tuple[str, ...]) -> None:
        """Let these paths be in index and work tree what they are in HEAD."""
        if not paths:
            return
        run(self._git, "reset", "--quiet", "HEAD", "--", *paths)
        for path in paths:
            if self._hash_in("HEAD", path):
                run(self._git, "checkout", "--quiet", "HEAD", "--", path)
            else:
                (self._root / path).unlink(missing_ok=True)
