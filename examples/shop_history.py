"""Gives the example monorepo `examples/shop` its Git history: the same commit ids on every machine.

`build_shop` makes the repository as it is before release 1.0.0; `advance_shop` adds what a later release is
made of. Between the two calls the release flow adds commits of its own. The later changes are patches in
`examples/shop_changes/<version>/`, each one commit. Some of them are mistakes, of the kind that gets through a
review:

| version | what is wrong with it |
|---|---|
| 1.2.0 | a table of discounts lacks one category of five products: one cart in five answers 500 |
| 1.2.1 | a new setting is required that nobody has set: the service exits while it starts |
| 1.2.2 | a tidy-up moves the checkout to another address: its page is not found |
| 1.2.3 | the partner's stock is read twice, 0.8 seconds apart: two carts in five are slow |

Each mistake is repaired by the release after it; 1.0.0, 1.1.0, 1.3.0, 1.3.1 and 1.4.0 are sound.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from switchover.errors import InputError, MissingProgramError, TargetError

SHOP = Path(__file__).resolve().parent / "shop"
CHANGES = Path(__file__).resolve().parent / "shop_changes"

# What running, building or looking at the example may leave in its folder; no part of the repository.
LEFT_OUT = shutil.ignore_patterns(".switchover", "__pycache__", "build", "node_modules", ".DS_Store", ".*_cache")


@dataclass(frozen=True, slots=True)
class FirstCommit:
    """One commit of the time before 1.0.0: its day in January 2026, its message and what it adds."""

    day: int
    message: str
    paths: tuple[str, ...]


FIRST_COMMITS = (
    FirstCommit(5, "chore: start the repository", ("package.json", "package-lock.json", ".gitignore", "README.md")),
    FirstCommit(6, "feat(money): write amounts in the reader's language", ("packages/money",)),
    FirstCommit(7, "feat(ui): show prices with an element", ("packages/ui",)),
    FirstCommit(8, "build: share one HTTP server among the services", ("libraries", "tools")),
    FirstCommit(9, "feat(catalog): list the products at /api/products", ("services/catalog",)),
    FirstCommit(12, "feat(payments): take a payment once for each order", ("services/payments",)),
    FirstCommit(13, "feat(shop): sell", ("services/shop",)),
    FirstCommit(
        14, "ci: release with changesets, deploy with switchover", (".changeset/config.json", "switchover.toml")
    ),
    FirstCommit(
        15,
        "feat!: open for business\n\nBREAKING CHANGE: prices are whole cents everywhere.",
        (".changeset",),
    ),
)


def build_shop(destination: Path) -> None:
    """Make the repository in `destination`, which is new or empty, on branch `main`, ready for release 1.0.0.

    Raises `InputError` when the folder holds something, `MissingProgramError` without git.
    """
    if destination.exists() and any(destination.iterdir()):
        raise InputError(
            f"cannot build the example in {destination}",
            expected="a new or an empty folder",
            found="a folder that holds something",
            next_step="name another folder",
        )
    shutil.copytree(SHOP, destination, ignore=LEFT_OUT, dirs_exist_ok=True)
    _git(destination, "init", "--quiet", "--template=", "--initial-branch=main", "--object-format=sha1")
    for commit in FIRST_COMMITS:
        _git(destination, "add", "--", *commit.paths)
        _git(destination, "commit", "--quiet", "--message", commit.message, day=commit.day)
    forgotten = _git(destination, "status", "--porcelain")
    if forgotten:
        # A defect of ours: a file of the example that no commit of the table adds.
        raise AssertionError(forgotten)


def list_changes() -> tuple[str, ...]:
    """The versions that `advance_shop` knows, in the order in which they can be released."""
    return tuple(sorted(folder.name for folder in CHANGES.iterdir() if folder.is_dir()))


def advance_shop(repository: Path, to: str) -> str:
    """Commit what release `to` is made of on top of HEAD; return the id of the last commit.

    The changes build on those of the version before. Raises `InputError` for a version that is not in
    `list_changes`, `TargetError` when HEAD is not what the changes were made for; HEAD then stays where it was.
    """
    if to not in list_changes():
        raise InputError(
            f"cannot bring the example to {to}",
            expected=f"one of {', '.join(list_changes())}",
            found=to,
            next_step="name one of these versions",
        )
    patches = [str(path) for path in sorted((CHANGES / to).glob("*.patch"))]
    try:
        _git(repository, "am", "--quiet", "--committer-date-is-author-date", "--no-gpg-sign", *patches)
    except TargetError:
        _git(repository, "am", "--abort")
        raise
    return _git(repository, "rev-parse", "HEAD")


def _git(repository: Path, *arguments: str, day: int = 1) -> str:
    """Run git apart from the user's own configuration, hooks and identity; return what it printed."""
    try:
        done = subprocess.run(
            ["git", "-c", "core.hooksPath=/dev/null", "-c", "core.autocrlf=false", *arguments],  # noqa: S607 the user's git
            cwd=repository,
            env=_describe_author(day),
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise MissingProgramError(
            "cannot build the example",
            expected="the program git",
            found="no git on the PATH",
            next_step="install git",
        ) from error
    if done.returncode != 0:
        raise TargetError(
            f"git {arguments[0]} failed in {repository}",
            expected="a repository made by build_shop, without changes of yours",
            found=(done.stderr.strip() or done.stdout.strip()).replace("\n", "; "),
            next_step="build the example anew in an empty folder",
        )
    return done.stdout.strip()


def _describe_author(day: int) -> dict[str, str]:
    """The whole environment of git: nothing of the machine's but the way to the program."""
    when = f"2026-01-{day:02}T09:00:00+00:00"
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LC_ALL": "C",
        "TZ": "UTC",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "Ada Acme",
        "GIT_AUTHOR_EMAIL": "ada@acme.example",
        "GIT_AUTHOR_DATE": when,
        "GIT_COMMITTER_NAME": "Ada Acme",
        "GIT_COMMITTER_EMAIL": "ada@acme.example",
        "GIT_COMMITTER_DATE": when,
    }
