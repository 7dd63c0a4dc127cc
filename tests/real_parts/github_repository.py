"""One repository on the stand-in for GitHub: what it knows, and how it answers. The answers are the examples of
GitHub's document with our values in them."""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from urllib.parse import unquote

from tests.real_parts.github_document import example

_DOCUMENTED = "https://docs.github.com/rest"
_STATES = {"draft": False, "prerelease": False, "name": None, "body": None}
_NUMBERS = count(1)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: what stands in its path, its query, and its JSON."""

    parts: tuple[str, ...]
    query: Mapping[str, str]
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """A status with JSON; None stands for no content."""

    status: int
    value: Any
    headers: Mapping[str, str] = field(default_factory=dict)


def refusal(status: int, message: str, *errors: Mapping[str, str]) -> Answer:
    """An error as GitHub writes it."""
    listed = {"errors": list(errors)} if errors else {}
    return Answer(status, {"message": message, "documentation_url": _DOCUMENTED, "status": str(status), **listed})


class HostedRepository:
    """A repository. Tests push tags and branches into it, and look what came of their requests."""

    def __init__(self, name: str, uploads: str) -> None:
        self.name = name
        self.uploads = uploads
        self.tags: set[str] = set()
        self.branches: dict[str, set[str]] = {"main": set()}
        self.releases: dict[int, dict[str, Any]] = {}
        self.contents: dict[int, bytes] = {}
        self.latest: int | None = None
        self.pulls: list[dict[str, Any]] = []
        self.sarifs: list[tuple[str, str, bytes]] = []
        self.code_scanning = True
        self.writes = 0

    def answer(self, method: str, path: str, query: Mapping[str, str], body: Mapping[str, Any]) -> Answer:
        """What GitHub says; `path` begins after the repository's name."""
        for wanted, pattern, act in _ROUTES:
            matched = re.fullmatch(pattern, path)
            if matched and wanted == method:
                self.writes += method != "GET"
                return act(self, Asked(tuple(unquote(part) for part in matched.groups()), query, body))
        return refusal(404, "Not Found")

    def list_releases(self, asked: Asked) -> Answer:
        newest_first = sorted(self.releases.values(), key=lambda release: -release["id"])
        size, page = int(asked.query.get("per_page", 30)), int(asked.query.get("page", 1))
        chosen = newest_first[size * (page - 1) : size * page]
        more = len(newest_first) > size * page
        following = f'<{_DOCUMENTED}?page={page + 1}>; rel="next", <{_DOCUMENTED}?page=9>; rel="last"'
        return Answer(200, chosen, {"Link": following} if more else {})

    def create_release(self, asked: Asked) -> Answer:
        tag = asked.body["tag_name"]
        if any(release["tag_name"] == tag and not release["draft"] for release in self.releases.values()):
            exists = {"resource": "Release", "code": "already_exists", "field": "tag_name"}
            return refusal(422, "Validation Failed", exists)
        number = next(_NUMBERS)
        release = example("release") | _STATES | {name: asked.body[name] for name in asked.body if name in _STATES}
        address = f"https://github.example/{self.name}/releases"
        release |= {"id": number, "tag_name": tag, "assets": [], "html_url": f"{address}/{number}"}
        release["upload_url"] = f"{self.uploads}/repos/{self.name}/releases/{number}/assets{{?name,label}}"
        self.releases[number] = release
        if not release["draft"]:
            self._publish(release)
        return Answer(201, release)

    def find_release(self, asked: Asked) -> Answer:
        """By its tag; a draft has none yet."""
        for release in self.releases.values():
            if release["tag_name"] == asked.parts[0] and not release["draft"]:
                return Answer(200, release)
        return refusal(404, "Not Found")

    def read_latest_release(self, _: Asked) -> Answer:
        return refusal(404, "Not Found") if self.latest is None else Answer(200, self.releases[self.latest])

    def read_release(self, asked: Asked) -> Answer:
        release = self.releases.get(int(asked.parts[0]))
        return refusal(404, "Not Found") if release is None else Answer(200, release)

    def change_release(self, asked: Asked) -> Answer:
        release = self.releases.get(int(asked.parts[0]))
        if release is None:
            return refusal(404, "Not Found")
        was_draft = release["draft"]
        release |= {name: asked.body[name] for name in asked.body if name in _STATES}
        if was_draft and not release["draft"]:
            self._publish(release)
        if asked.body.get("make_latest") == "true":
            if release["draft"] or release["prerelease"]:
                return refusal(422, "Validation Failed", {"resource": "Release", "code": "invalid"})
            self.latest = release["id"]
        elif asked.body.get("make_latest") == "false" and self.latest == release["id"]:
            self.latest = None
        return Answer(200, release)

    def list_assets(self, asked: Asked) -> Answer:
        return Answer(200, self.releases[int(asked.parts[0])]["assets"])

    def delete_asset(self, asked: Asked) -> Answer:
        for release in self.releases.values():
            kept = [asset for asset in release["assets"] if asset["id"] != int(asked.parts[0])]
            if len(kept) < len(release["assets"]):
                release["assets"] = kept
                return Answer(204, None)
        return refusal(404, "Not Found")

    def add_asset(self, release: int, name: str, media_type: str, content: bytes, *, whole: bool) -> Answer:
        """What an upload leaves behind: a `starter` when its bytes did not all come."""
        self.writes += 1
        kept = re.sub(r"[^A-Za-z0-9._+-]+", ".", name).strip(".")
        assets = self.releases[release]["assets"]
        if any(asset["name"] == kept for asset in assets):
            exists = {"resource": "ReleaseAsset", "code": "already_exists", "field": "name"}
            return refusal(422, "Validation Failed", exists)
        number = next(_NUMBERS)
        asset = example("release-asset-response-for-successful-upload")
        asset |= {"id": number, "name": kept, "label": "", "content_type": media_type, "state": "starter", "size": 0}
        asset["digest"] = None
        if whole:
            digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
            asset |= {"state": "uploaded", "size": len(content), "digest": digest}
            self.contents[number] = content
        assets.append(asset)
        return Answer(201, asset)

    def read_reference(self, asked: Asked) -> Answer:
        kind, _, name = asked.parts[0].partition("/")
        if kind != "tags" or name not in self.tags:
            return refusal(404, "Not Found")
        return Answer(200, example("git-ref") | {"ref": f"refs/tags/{name}"})

    def list_pulls(self, asked: Asked) -> Answer:
        head, base = asked.query.get("head", ""), asked.query.get("base", "")
        found = [
            pull
            for pull in self.pulls
            if pull["state"] == "open" and pull["head"]["label"] == head and pull["base"]["ref"] == base
        ]
        kept = example("pull-request-simple-items")[0]
        return Answer(200, [kept | {name: pull[name] for name in kept if name in pull} for pull in found])

    def create_pull(self, asked: Asked) -> Answer:
        owner = self.name.partition("/")[0]
        head, base = asked.body["head"], asked.body["base"]
        for field_name, branch in (("head", head), ("base", base)):
            if branch not in self.branches:
                invalid = {"resource": "PullRequest", "field": field_name, "code": "invalid"}
                return refusal(422, "Validation Failed", invalid)
        if self.branches[head] <= self.branches[base]:
            return self._refuse_pull(f"No commits between {base} and {head}")
        if any(pull["state"] == "open" and pull["head"]["ref"] == head for pull in self.pulls):
            return self._refuse_pull(f"A pull request already exists for {owner}:{head}.")
        pull = example("pull-request")
        number = next(_NUMBERS)
        pull |= {"number": number, "title": asked.body["title"], "body": asked.body["body"], "state": "open"}
        # The team in the document's example lacks a field that its schema wants; a new request has none.
        pull["requested_teams"] = []
        pull["html_url"] = f"https://github.example/{self.name}/pull/{number}"
        pull["head"] |= {"ref": head, "label": f"{owner}:{head}"}
        pull["base"] |= {"ref": base, "label": f"{owner}:{base}"}
        self.pulls.append(pull)
        return Answer(201, pull)

    def change_pull(self, asked: Asked) -> Answer:
        pull = next(pull for pull in self.pulls if pull["number"] == int(asked.parts[0]))
        pull |= {name: asked.body[name] for name in ("title", "body") if name in asked.body}
        return Answer(200, pull)

    def take_sarif(self, asked: Asked) -> Answer:
        if not self.code_scanning:
            return refusal(403, "Code scanning is not enabled for this repository.")
        content = gzip.decompress(base64.b64decode(asked.body["sarif"], validate=True))
        self.sarifs.append((asked.body["commit_sha"], asked.body["ref"], content))
        return Answer(202, example("code-scanning-sarif-upload"))

    def _publish(self, release: dict[str, Any]) -> None:
        # GitHub makes the tag that is missing, at the head of the default branch.
        self.tags.add(release["tag_name"])
        release["published_at"] = release["created_at"]

    @staticmethod
    def _refuse_pull(message: str) -> Answer:
        return refusal(422, "Validation Failed", {"resource": "PullRequest", "code": "custom", "message": message})


_ROUTES: tuple[tuple[str, str, Callable[[HostedRepository, Asked], Answer]], ...] = (
    ("GET", "/releases", HostedRepository.list_releases),
    ("POST", "/releases", HostedRepository.create_release),
    ("GET", "/releases/latest", HostedRepository.read_latest_release),
    ("GET", "/releases/tags/([^/]+)", HostedRepository.find_release),
    ("GET", "/releases/([0-9]+)", HostedRepository.read_release),
    ("PATCH", "/releases/([0-9]+)", HostedRepository.change_release),
    ("GET", "/releases/([0-9]+)/assets", HostedRepository.list_assets),
    ("DELETE", "/releases/assets/([0-9]+)", HostedRepository.delete_asset),
    ("GET", "/git/ref/(.+)", HostedRepository.read_reference),
    ("GET", "/pulls", HostedRepository.list_pulls),
    ("POST", "/pulls", HostedRepository.create_pull),
    ("PATCH", "/pulls/([0-9]+)", HostedRepository.change_pull),
    ("POST", "/code-scanning/sarifs", HostedRepository.take_sarif),
)
