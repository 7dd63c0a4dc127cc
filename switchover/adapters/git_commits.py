"""Commits and annotated tags as Git objects: made of edits alone, dated by history, signed where Git is told to."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from switchover.adapters.git_program import Answer, GitProgram, answers, attempt, refusal, run
from switchover.decide.edits import Edit
from switchover.errors import InputError

REGULAR_FILE = "100644"


def make_commit(program: GitProgram, parent: str, edits: tuple[Edit, ...], message: str) -> str:
    """The hash of a new commit of exactly these edits on top of `parent`; nothing points at it yet.

    Its time is that of its parent, so the same edits on the same parent give the same hash (unless
    `commit.gpgSign` is set: signatures have a time). `InputError` where it is set and nothing can sign.
    """
    tree = _write_tree(program, parent, edits)
    date = _read_date(program, parent)
    environment = {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date, **_choose_identity(program)}
    # Other than `git commit`, this command does not ask the configuration by itself.
    signed = ("-S",) if answers(program, "config", "--type=bool", "--get", "commit.gpgSign") == "true" else ()
    answer = attempt(program, "commit-tree", *signed, tree, "-p", parent, text=message, environment=environment)
    if answer.status == 0:
        return answer.printed
    if signed:
        raise _unsigned("the release commit", answer, "commit.gpgSign")
    raise refusal(program, "commit-tree", answer)


def put_tag(program: GitProgram, tag: str, commit: str, message: str) -> bool:
    """Put an annotated tag, dated like its commit; False when it is there already.

    `InputError` when it is somewhere else, when the checkout lacks the commit, and where `tag.gpgSign` is set and
    nothing can sign.
    """
    there = find_commit(program, f"refs/tags/{tag}")
    if there and there != commit:
        raise InputError(
            f"the tag {tag} cannot be put",
            expected=f"no such tag, or one at {commit[:12]}",
            found=f"the tag at {there[:12]}",
            next_step=f"look which is right; a wrong tag goes with: git tag --delete {tag}",
        )
    if there:
        return False
    if not find_commit(program, commit):
        raise InputError(
            f"the tag {tag} cannot be put",
            expected=f"the commit {commit[:12]}, which the release was made from",
            found="a checkout that does not have it",
            next_step="run: git fetch --all --tags; in a shallow clone: git fetch --unshallow --tags",
        )
    environment = {"GIT_COMMITTER_DATE": _read_date(program, commit), **_choose_identity(program)}
    answer = attempt(program, "tag", "--annotate", "--file=-", tag, commit, text=message, environment=environment)
    if answer.status == 0:
        return True
    if answers(program, "config", "--type=bool", "--get", "tag.gpgSign") == "true":
        raise _unsigned(f"the tag {tag}", answer, "tag.gpgSign")
    raise refusal(program, "tag", answer)


def find_commit(program: GitProgram, name: str) -> str:
    """The commit behind a name, or an empty text."""
    return answers(program, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")


def _write_tree(program: GitProgram, parent: str, edits: tuple[Edit, ...]) -> str:
    """The tree of `parent` with the edits, made in an index of its own."""
    with tempfile.TemporaryDirectory(prefix="switchover-") as folder:
        index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        run(program, "read-tree", parent, environment=index)
        prefix = run(program, "rev-parse", "--show-prefix")
        for edit in edits:
            if edit.content is None:
                run(program, "update-index", "--force-remove", "--", edit.path, environment=index)
                continue
            blob = run(program, "hash-object", "-w", f"--path={edit.path}", "--stdin", text=edit.content)
            listed = run(program, "ls-files", "--stage", "--", edit.path, environment=index)
            mode = listed.partition(" ")[0] or REGULAR_FILE
            cached = f"{mode},{blob},{prefix}{edit.path}"
            run(program, "update-index", "--add", "--cacheinfo", cached, environment=index)
        return run(program, "write-tree", environment=index)


def _read_date(program: GitProgram, commit: str) -> str:
    return run(program, "log", "-1", "--format=%ct +0000", commit)


def _choose_identity(program: GitProgram) -> dict[str, str]:
    """Nothing where Git knows who is at work, else the name of this program."""
    if all(answers(program, "var", f"GIT_{role}_IDENT") for role in ("AUTHOR", "COMMITTER")):
        return {}
    names = {"NAME": "switchover", "EMAIL": "switchover@localhost"}
    return {
        f"GIT_{role}_{part}": os.environ.get(f"GIT_{role}_{part}", value)
        for role in ("AUTHOR", "COMMITTER")
        for part, value in names.items()
    }


def _unsigned(what: str, answer: Answer, setting: str) -> InputError:
    return InputError(
        f"{what} cannot be signed",
        expected=f"a key that Git can sign with, since {setting} is set",
        found=answer.words,
        next_step=f"make the key available to this machine, or: git config {setting} false",
    )
