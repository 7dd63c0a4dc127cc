"""The Git history behind a workspace: what was committed since a release, and the commits and tags of new ones."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from switchover.adapters.git_program import answers, open_checkout, run
from switchover.decide.edits import Edit
from switchover.decide.versions import Commit
from switchover.errors import BusyError, InputError

# Begins a record; no line of a message and hardly a file name begins with it.
RECORD = "\x01"
REGULAR_FILE = "100644"
# The release commit whose files the work tree may not have yet. Every work tree has refs/worktree of its own.
UNFINISHED = "refs/worktree/switchover-unfinished"


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

    def read_tags(self) -> tuple[str, ...]:
        """Tags of commits that HEAD contains, sorted."""
        return tuple(sorted(run(self._git, "tag", "--list", "--merged", "HEAD").split()))

    def read_commits(self, since_tag: str) -> tuple[Commit, ...]:
        """Commits after the tag (empty: all), newest first, with the paths that they touched."""
        reach = [f"refs/tags/{since_tag}..HEAD"] if since_tag else ["HEAD"]
        shape = "--format=%x01%H%x00%B%x00"
        text = run(self._git, "log", "-z", "--name-only", "--no-renames", "--relative", shape, *reach, "--")
        records: list[list[str]] = []
        for token in text.split("\0"):
            if token.startswith(RECORD):
                records.append([token.removeprefix(RECORD)])
            elif records:
                records[-1].append(token)
        return tuple(
            Commit(sha, message, tuple(path.removeprefix("\n") for path in paths if path.strip("\n")))
            for sha, message, *paths in records
        )

    def is_shallow(self) -> bool:
        """Whether the history is cut off somewhere."""
        return run(self._git, "rev-parse", "--is-shallow-repository") == "true"

    def read_adding_commits(self, paths: tuple[str, ...]) -> dict[str, str]:
        """For each committed path the hash of the commit that added it last."""
        shape = "--format=%x01%H%x00"
        text = run(
            self._git, "log", "-z", "--name-only", "--no-renames", "--diff-filter=A", "--relative", shape, "--", *paths
        )
        added: dict[str, str] = {}
        sha = ""
        for token in text.split("\0"):
            if token.startswith(RECORD):
                sha = token.removeprefix(RECORD)
            elif token.strip("\n"):
                added.setdefault(token.removeprefix("\n"), sha)
        return added

    def require_clean(self) -> None:
        """Raise `InputError` unless the work tree is a branch without uncommitted changes.

        What an interrupted `commit_edits` left undone in the work tree is finished here, and nothing else changed.
        """
        if not answers(self._git, "symbolic-ref", "--quiet", "HEAD"):
            raise InputError(
                "a release cannot be committed here",
                expected="a branch",
                found="a detached HEAD",
                next_step="check a branch out: git switch main",
            )
        self._finish_interrupted()
        dirty = self._read_dirty()
        if dirty:
            raise InputError(
                "the checkout has changes that are not committed",
                expected="a clean work tree, so that a release is made of commits alone",
                found=", ".join(dirty[:5]) + (" and more" if len(dirty) > 5 else ""),  # noqa: PLR2004 enough to see
                next_step="commit or stash them",
            )

    def commit_edits(self, edits: tuple[Edit, ...], message: str) -> str:
        """Commit exactly these edits on top of HEAD and bring the work tree there; return the new hash.

        The same edits on the same HEAD give the same hash, since the commit takes its time from its parent.
        """
        parent = run(self._git, "rev-parse", "HEAD")
        tree = self._write_tree(edits)
        date = run(self._git, "log", "-1", "--format=%ct +0000", parent)
        environment = {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date, **self._choose_identity()}
        commit = run(self._git, "commit-tree", tree, "-p", parent, text=message, environment=environment)
        run(self._git, "update-ref", UNFINISHED, commit)
        run(self._git, "update-ref", "-m", message.split("\n", 1)[0], "HEAD", commit, parent)
        self._bring_work_tree(tuple(edit.path for edit in edits))
        run(self._git, "update-ref", "-d", UNFINISHED)
        return commit

    def reserve(self, tag: str, *, stored: bool) -> str:
        """The commit that the release behind `tag` is made from; what no tag says is noted.

        It is the tag's, else the noted one where bytes made of it are `stored` already, else that of HEAD. The
        note lies outside the branches and tags: a run that was killed finds it, and nobody has to look at it.
        """
        tagged = answers(self._git, "rev-parse", "--verify", "--quiet", f"refs/tags/{tag}^{{commit}}")
        noted = answers(self._git, "rev-parse", "--verify", "--quiet", self._note(tag)) if stored else ""
        if tagged or noted:
            return tagged or noted
        head = run(self._git, "rev-parse", "HEAD")
        run(self._git, "update-ref", self._note(tag), head)
        return head

    def tag(self, tag: str, commit: str, message: str) -> bool:
        """Put an annotated tag; False when it is there already. `InputError` when it is somewhere else."""
        there = answers(self._git, "rev-parse", "--verify", "--quiet", f"refs/tags/{tag}^{{commit}}")
        if there and there != commit:
            raise InputError(
                f"the tag {tag} cannot be put",
                expected=f"no such tag, or one at {commit[:12]}",
                found=f"the tag at {there[:12]}",
                next_step=f"look which is right; a wrong tag goes with: git tag --delete {tag}",
            )
        if not there:
            date = run(self._git, "log", "-1", "--format=%ct +0000", commit)
            environment = {"GIT_COMMITTER_DATE": date, **self._choose_identity()}
            run(self._git, "tag", "--annotate", "--file=-", tag, commit, text=message, environment=environment)
        run(self._git, "update-ref", "-d", self._note(tag))
        return not there

    def has_commit(self, commit: str) -> bool:
        """Whether the repository has the commit."""
        return bool(answers(self._git, "rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}"))

    def has_tag(self, tag: str) -> bool:
        """Whether the tag exists."""
        return bool(answers(self._git, "rev-parse", "--verify", "--quiet", f"refs/tags/{tag}"))

    @staticmethod
    def _note(tag: str) -> str:
        return f"refs/switchover/{tag}"

    def _read_dirty(self) -> list[str]:
        """Changed tracked files, and changesets that nobody committed."""
        text = run(self._git, "status", "--porcelain", "-z", "--no-renames", "--untracked-files=all")
        entries = [(line[:2], line[3:]) for line in text.split("\0") if line]
        return [path for state, path in entries if state != "??" or "/.changeset/" in f"/{path}"]

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

    def _write_tree(self, edits: tuple[Edit, ...]) -> str:
        """The tree of HEAD with the edits, made in an index of its own."""
        with tempfile.TemporaryDirectory(prefix="switchover-") as folder:
            index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
            run(self._git, "read-tree", "HEAD", environment=index)
            for edit in edits:
                if edit.content is None:
                    run(self._git, "update-index", "--force-remove", "--", edit.path, environment=index)
                    continue
                blob = run(self._git, "hash-object", "-w", f"--path={edit.path}", "--stdin", text=edit.content)
                mode = run(self._git, "ls-files", "--stage", "--", edit.path).partition(" ")[0] or REGULAR_FILE
                path = run(self._git, "rev-parse", "--show-prefix") + edit.path
                run(self._git, "update-index", "--add", "--cacheinfo", f"{mode},{blob},{path}", environment=index)
            return run(self._git, "write-tree", environment=index)

    def _choose_identity(self) -> dict[str, str]:
        """Nothing where Git knows who is at work, else the name of this program."""
        if all(answers(self._git, "var", f"GIT_{role}_IDENT") for role in ("AUTHOR", "COMMITTER")):
            return {}
        names = {"NAME": "switchover", "EMAIL": "switchover@localhost"}
        return {
            f"GIT_{role}_{part}": os.environ.get(f"GIT_{role}_{part}", value)
            for role in ("AUTHOR", "COMMITTER")
            for part, value in names.items()
        }
