"""What a test arranges in a repository on the stand-in for GitHub, and how it looks at what came of it."""

from __future__ import annotations

from dataclasses import dataclass

from tests.real_parts.github_repository import HostedRepository


@dataclass(frozen=True, slots=True)
class HostedWorld:
    """The other side of a forge: what is pushed to it and shown on it."""

    repository: HostedRepository

    def push_tag(self, tag: str) -> None:
        self.repository.tags.add(tag)

    def push_branch(self, branch: str, *commits: str) -> None:
        self.repository.branches[branch] = set(commits)

    def switch_off_code_scanning(self) -> None:
        self.repository.code_scanning = False

    def read_notes(self, tag: str) -> tuple[str, str]:
        releases = self.repository.releases.values()
        return next((each["name"], each["body"]) for each in releases if each["tag_name"] == tag)

    def read_asset(self, tag: str, name: str) -> bytes | None:
        assets = next(each["assets"] for each in self.repository.releases.values() if each["tag_name"] == tag)
        return self.repository.contents.get(next(asset["id"] for asset in assets if asset["name"] == name))

    def read_latest(self) -> str:
        latest = self.repository.latest
        return "" if latest is None else str(self.repository.releases[latest]["tag_name"])

    def list_proposals(self) -> list[tuple[str, str, str, str]]:
        pulls = self.repository.pulls
        return [(pull["head"]["ref"], pull["base"]["ref"], pull["title"], pull["body"]) for pull in pulls]

    def list_findings(self) -> list[tuple[str, str, bytes]]:
        return self.repository.sarifs

    def count_effects(self) -> int:
        return self.repository.writes
