"""What is GitHub's own about the forge: drafts in a list, files that arrive or do not, others who are faster."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from switchover.adapters.github_forge import GithubForge
from switchover.decide.outcome import Done, Skipped
from switchover.errors import InputError, TargetError
from switchover.operations.shared_places import ForgeRelease
from tests.real_parts.github import Github
from tests.real_parts.github_repository import Answer, HostedRepository
from tests.real_parts.github_stand_in import (
    TOKEN,
    Handler,
    cut_upload,
    saying,
    stall_upload,
)

COMMIT = "c" * 40
_UPLOADER = """
import os, sys
from pathlib import Path
from switchover.adapters.github_forge import GithubForge
forge = GithubForge(sys.argv[1], api=sys.argv[2], token=os.environ["TOKEN"])
release = forge.find_release("v1.0.0")
print(release.identifier, flush=True)
forge.upload_asset(release, Path(sys.argv[3]))
"""


@pytest.fixture
def repository(github: Github) -> Iterator[HostedRepository]:
    repository = github.add_repository()
    repository.tags.add("v1.0.0")
    yield repository
    github.require_no_complaints(repository)


@pytest.fixture
def forge(github: Github, repository: HostedRepository) -> GithubForge:
    return github.open(repository)


@pytest.fixture
def unheld(github: Github, repository: HostedRepository) -> GithubForge:
    return github.open_unheld(repository)


def draft(forge: GithubForge) -> ForgeRelease:
    return forge.draft_release("v1.0.0", "One", "- first", prerelease=False)


def write(folder: Path, name: str = "a.tgz", content: bytes = b"bytes") -> Path:
    file = folder / name
    file.write_bytes(content)
    return file


def make_release(repository: HostedRepository, tag: str, *, is_draft: bool, title: str = "") -> int:
    body = {"tag_name": tag, "draft": is_draft, "name": title, "body": ""}
    return int(repository.answer("POST", "/releases", {}, body).value["id"])


def test_a_draft_is_found_behind_other_pages_of_the_list(forge: GithubForge, repository: HostedRepository) -> None:
    wanted = make_release(repository, "v1.0.0", is_draft=True)
    for number in range(230):
        make_release(repository, f"other@1.0.{number}", is_draft=number % 2 == 0)
    found = forge.find_release("v1.0.0")
    assert found is not None
    assert (found.identifier, found.draft) == (wanted, True)
    assert forge.find_release("v1.0.1") is None


def test_the_oldest_of_several_drafts_is_taken_and_the_published_page_before_any(
    forge: GithubForge, repository: HostedRepository
) -> None:
    oldest, newer = (make_release(repository, "v1.0.0", is_draft=True, title=title) for title in ("one", "two"))
    found = forge.find_release("v1.0.0")
    assert found is not None
    assert found.identifier == oldest == draft(forge).identifier
    assert repository.releases[newer]["name"] == "two"
    repository.answer("PATCH", f"/releases/{newer}", {}, {"draft": False})
    published = forge.find_release("v1.0.0")
    assert published is not None
    assert (published.identifier, published.draft) == (newer, False)


def test_a_page_that_somebody_else_publishes_in_between_is_taken(
    unheld: GithubForge, github: Github, repository: HostedRepository
) -> None:
    made: list[int] = []

    def publish(handler: Handler) -> None:
        handler.send(repository.answer("GET", "/releases", {}, {}))
        made.append(make_release(repository, "v1.0.0", is_draft=False))

    github.stand_in.fail_next(repository.name, "GET", "/releases", saying(404, "Not Found"))
    github.stand_in.fail_next(repository.name, "GET", "/releases", publish)
    assert (draft(unheld).identifier, draft(unheld).draft) == (made[0], False)


def test_a_tag_is_never_made_by_publishing(forge: GithubForge, repository: HostedRepository) -> None:
    release = forge.draft_release("v9.9.9", "Nine", "", prerelease=False)
    with pytest.raises(InputError, match="cannot be published"):
        forge.publish_release(release, latest=True)
    assert repository.tags == {"v1.0.0"}


def test_a_killed_upload_is_finished_by_the_next_run(
    github: Github, forge: GithubForge, repository: HostedRepository, tmp_path: Path
) -> None:
    release = draft(forge)
    file = write(tmp_path, content=random.Random(1).randbytes(32 * 1024 * 1024))  # noqa: S311 any bytes
    stand_in = github.stand_in
    stand_in.stalled.clear()
    stand_in.go_on.clear()
    stand_in.fail_next(repository.name, "POST", "/assets", stall_upload)
    command = [sys.executable, "-c", _UPLOADER, repository.name, stand_in.address, str(file)]
    uploader = subprocess.Popen(command, env={**os.environ, "TOKEN": TOKEN}, stdout=subprocess.DEVNULL)
    try:
        assert stand_in.stalled.wait(30)
    finally:
        uploader.kill()
        uploader.wait()
        stand_in.go_on.set()
    until = time.monotonic() + 30
    while not repository.releases[release.identifier]["assets"]:
        assert time.monotonic() < until
        time.sleep(0.02)
    seen = forge.find_release("v1.0.0")
    assert seen is not None
    assert seen.assets == {"a.tgz": ""}
    assert forge.upload_asset(seen, file) == Done("upload", "a.tgz")
    assert isinstance(forge.upload_asset(seen, file), Skipped)
    assert github.look(repository).read_asset("v1.0.0", "a.tgz") == file.read_bytes()


def test_a_broken_off_file_of_a_published_page_is_mended(
    github: Github, unheld: GithubForge, repository: HostedRepository, tmp_path: Path
) -> None:
    release = draft(unheld)
    unheld.publish_release(release, latest=False)
    github.stand_in.fail_next(repository.name, "POST", "/assets", cut_upload)
    with pytest.raises(TargetError):
        unheld.upload_asset(release, write(tmp_path))
    assert isinstance(unheld.upload_asset(release, write(tmp_path)), Done)


def test_a_file_that_appears_in_between_is_looked_at_before_anything_is_replaced(
    github: Github, unheld: GithubForge, repository: HostedRepository, tmp_path: Path
) -> None:
    release = draft(unheld)

    def list_nothing(handler: Handler) -> None:
        handler.send(Answer(200, []))
        repository.add_asset(release.identifier, "a.tgz", "application/gzip", b"bytes", whole=True)

    github.stand_in.fail_next(repository.name, "GET", "/assets", list_nothing)
    assert isinstance(unheld.upload_asset(release, write(tmp_path)), Skipped)
    assert len(repository.releases[release.identifier]["assets"]) == 1


def test_a_file_that_arrived_otherwise_than_it_was_sent_is_a_failure(
    github: Github, unheld: GithubForge, repository: HostedRepository, tmp_path: Path
) -> None:
    release = draft(unheld)

    def spoil(handler: Handler) -> None:
        handler.rfile.read(int(handler.headers["Content-Length"]))
        handler.send(repository.add_asset(release.identifier, "a.tgz", "application/gzip", b"other", whole=True))

    github.stand_in.fail_next(repository.name, "POST", "/assets", spoil)
    with pytest.raises(TargetError, match="did not arrive as it was sent"):
        unheld.upload_asset(release, write(tmp_path))
    assert isinstance(unheld.upload_asset(release, write(tmp_path)), Done)


def test_a_published_file_whose_digest_is_not_told_is_not_replaced(
    github: Github, forge: GithubForge, repository: HostedRepository, tmp_path: Path
) -> None:
    release = draft(forge)
    forge.upload_asset(release, write(tmp_path))
    forge.publish_release(release, latest=False)
    repository.releases[release.identifier]["assets"][0]["digest"] = None
    with pytest.raises(InputError, match="does not tell"):
        forge.upload_asset(release, write(tmp_path))
    assert github.look(repository).read_asset("v1.0.0", "a.tgz") == b"bytes"


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("cart-1.0.0.tar.gz", "application/gzip"),
        ("acme-ui-1.0.0+1.tgz", "application/gzip"),
        ("manifest.json", "application/json"),
        ("SHA256SUMS", "application/octet-stream"),
        ("cart-1.0.0.image.tar", "application/x-tar"),
    ],
)
def test_a_file_keeps_its_name_and_gets_the_media_type_of_its_name(
    forge: GithubForge, repository: HostedRepository, tmp_path: Path, name: str, media_type: str
) -> None:
    release = draft(forge)
    forge.upload_asset(release, write(tmp_path, name))
    assert isinstance(forge.upload_asset(release, write(tmp_path, name)), Skipped)
    (asset,) = repository.releases[release.identifier]["assets"]
    assert (asset["name"], asset["content_type"]) == (name, media_type)


def test_a_pull_request_that_somebody_else_opens_in_between_is_taken(
    github: Github, unheld: GithubForge, repository: HostedRepository
) -> None:
    repository.branches["next"] = {"a"}

    def open_other(handler: Handler) -> None:
        handler.send(Answer(200, []))
        repository.answer("POST", "/pulls", {}, {"head": "next", "base": "main", "title": "other", "body": ""})

    github.stand_in.fail_next(repository.name, "GET", "/pulls", open_other)
    unheld.propose("next", "main", "Release", "- one")
    assert github.look(repository).list_proposals() == [("next", "main", "Release", "- one")]


def test_findings_that_are_too_large_are_skipped_with_the_size(forge: GithubForge, tmp_path: Path) -> None:
    noise = random.Random(1).randbytes(11 * 1024 * 1024)  # noqa: S311 any bytes that do not pack
    outcome = forge.upload_sarif(write(tmp_path, "trivy.sarif", noise), COMMIT, "refs/heads/main")
    assert isinstance(outcome, Skipped)
    assert "GitHub takes 10485760" in outcome.reason


@pytest.mark.parametrize("status", [403, 404, 413])
def test_findings_that_github_does_not_take_are_skipped_with_its_reason(
    github: Github, unheld: GithubForge, repository: HostedRepository, tmp_path: Path, status: int
) -> None:
    github.stand_in.fail_next(repository.name, "POST", "/sarifs", saying(status, "Not for you"))
    outcome = unheld.upload_sarif(write(tmp_path, "trivy.sarif", b"{}"), COMMIT, "refs/heads/main")
    assert outcome == Skipped("sarif", f"GitHub does not take findings here: {status}: Not for you")
