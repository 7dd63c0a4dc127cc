"""Whether a release can be made in a work tree, and what a person does when it cannot."""

from __future__ import annotations

from switchover.adapters.git_program import GitProgram, answers, run
from switchover.errors import InputError

_UNFINISHED = (("MERGE_HEAD", "merge"), ("CHERRY_PICK_HEAD", "cherry-pick"), ("REVERT_HEAD", "revert"))
_SHOWN = 5


def find_branch(program: GitProgram) -> str:
    """The branch that is checked out, empty for a detached HEAD."""
    return answers(program, "symbolic-ref", "--quiet", "HEAD").removeprefix("refs/heads/")


def require_branch(program: GitProgram) -> str:
    """The branch that is checked out; `InputError` for a detached HEAD.

    Systems that build a commit check that out; where it is the tip of a branch, the error names the command that
    mends it.
    """
    branch = find_branch(program)
    if branch:
        return branch
    names = run(program, "for-each-ref", "--format=%(refname)", "--points-at=HEAD", "refs/heads", "refs/remotes")
    tips = [name for name in names.splitlines() if not name.endswith("/HEAD")]
    raise InputError(
        "a release cannot be committed here",
        expected="a branch",
        found="a detached HEAD" + (f", at the tip of {tips[0].split('/', 2)[2]}" if tips else ""),
        next_step=f"check a branch out: {_choose_switch(program, tips[0]) if tips else 'git switch main'}",
    )


def require_whole(program: GitProgram) -> None:
    """Raise `InputError` while a merge, a cherry-pick or a revert is unfinished: the release would end it."""
    for head, command in _UNFINISHED:
        if answers(program, "rev-parse", "--verify", "--quiet", head):
            raise InputError(
                f"a {command} is not finished in this checkout",
                expected="a clean work tree, so that a release is made of commits alone",
                found=head,
                next_step=f"finish it, or: git {command} --abort",
            )


def require_committed(program: GitProgram) -> None:
    """Raise `InputError` for changes of tracked files, and for changesets that nobody committed."""
    text = run(program, "status", "--porcelain", "-z", "--no-renames", "--untracked-files=all")
    entries = [(line[:2], line[3:]) for line in text.split("\0") if line]
    dirty = [path for state, path in entries if state != "??" or "/.changeset/" in f"/{path}"]
    if dirty:
        raise InputError(
            "the checkout has changes that are not committed",
            expected="a clean work tree, so that a release is made of commits alone",
            found=", ".join(dirty[:_SHOWN]) + (" and more" if len(dirty) > _SHOWN else ""),
            next_step="commit or stash them",
        )


def _choose_switch(program: GitProgram, tip: str) -> str:
    """The command that checks the branch at HEAD out; `tip` is its whole name, here or of a remote."""
    kind, name = tip.split("/", 2)[1:]
    if kind == "heads":
        return f"git switch {name}"
    branch = name.partition("/")[2]
    known = answers(program, "rev-parse", "--verify", "--quiet", f"refs/heads/{branch}")
    return f"git switch {branch} && git merge --ff-only {name}" if known else f"git switch --track {name}"
