"""The parts that hold requests to GitHub's document complain when they should."""

from __future__ import annotations

import json

import pytest

from tests.real_parts.github import Github
from tests.real_parts.github_repository import Answer
from tests.real_parts.github_stand_in import TOKEN

HEADERS = {"Authorization": f"token {TOKEN}", "Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/release", {}),
        ("DELETE", "/releases/1", {}),
        ("POST", "/releases", {"name": "without a tag"}),
        ("POST", "/releases", {"tag_name": "v1.0.0", "make_latest": True}),
        ("PATCH", "/releases/first", {"draft": False}),
        ("GET", "/releases?per_page=many", {}),
        ("POST", "/code-scanning/sarifs", {"commit_sha": "short", "ref": "refs/heads/main", "sarif": ""}),
    ],
)
def test_a_request_that_the_document_does_not_know_fails_the_test(
    github: Github, method: str, path: str, body: dict[str, object]
) -> None:
    repository = github.add_repository()
    github.witness.ask(method, f"/repos/{repository.name}{path}", HEADERS, json.dumps(body).encode() if body else b"")
    assert repository.writes == 0
    with pytest.raises(AssertionError, match=f"{method} /repos/{repository.name}"):
        github.require_no_complaints(repository)


def test_an_answer_that_the_document_does_not_know_fails_the_test(github: Github) -> None:
    repository = github.add_repository()
    created = repository.answer("POST", "/releases", {}, {"tag_name": "v1.0.0", "draft": True})
    del created.value["upload_url"]
    github.witness.ask("GET", f"/repos/{repository.name}/releases/{created.value['id']}", HEADERS, b"")
    with pytest.raises(AssertionError, match="upload_url"):
        github.require_no_complaints(repository)


def test_an_upload_is_held_to_the_document_too(github: Github) -> None:
    repository = github.add_repository()
    upload = f"/repos/{repository.name}/releases/1/assets"
    github.stand_in.after_upload(repository, f"{upload}?label=without-a-name", Answer(201, {"id": 1}))
    with pytest.raises(AssertionError, match=r"(?s)required.*name"):
        github.require_no_complaints(repository)
