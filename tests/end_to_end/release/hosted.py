"""What GitHub's stand-in knows of the Git repository that belongs to it: the tags and branches that were pushed."""

from __future__ import annotations

from tests.git_repository import Repository


class PushedTags(set[str]):
    """The tags of a bare repository. GitHub makes a missing one when a page is published: `made` are those."""

    def __init__(self, shared: Repository) -> None:
        super().__init__()
        self.made: list[str] = []
        self._shared = shared

    def __contains__(self, tag: object) -> bool:
        return str(tag) in self._shared.git("tag", "--list").splitlines()

    def add(self, tag: str) -> None:
        if tag not in self:
            self.made.append(tag)


class PushedBranches(dict[str, set[str]]):
    """The branches of a bare repository with the commits that each contains."""

    def __init__(self, shared: Repository) -> None:
        super().__init__()
        self._shared = shared

    def __contains__(self, branch: object) -> bool:
        return bool(self._shared.git("for-each-ref", f"refs/heads/{branch}"))

    def __getitem__(self, branch: str) -> set[str]:
        return set(self._shared.git("rev-list", f"refs/heads/{branch}").splitlines())
