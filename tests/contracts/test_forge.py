"""What every `Forge` promises."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

from switchover.decide.outcome import Done, Skipped
from switchover.errors import InputError, TargetError
from switchover.operations.shared_places import Forge, ForgeRelease
from tests.fakes_forge import InMemoryForge

if TYPE_CHECKING:
    from tests.real_parts.github import Github

COMMIT = "c" * 40


class World(Protocol):
    """What lies behind a forge, as a test may arrange it and look at it."""

    def push_tag(self, tag: str) -> None: ...
    def push_branch(self, branch: str, *commits: str) -> None: ...
    def switch_off_code_scanning(self) -> None: ...
    def read_notes(self, tag: str) -> tuple[str, str]: ...
    def read_asset(self, tag: str, name: str) -> bytes | None: ...
    def read_latest(self) -> str: ...
    def list_proposals(self) -> list[tuple[str, str, str, str]]: ...
    def list_findings(self) -> list[tuple[str, str, bytes]]: ...
    def count_effects(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Case:
    forge: Forge
    world: World
    cut_next_upload: Callable[[], None]

    def draft(self, tag: str = "v1.0.0", *, prerelease: bool = False) -> ForgeRelease:
        self.world.push_tag(tag)
        return self.forge.draft_release(tag, "One", "- first", prerelease=prerelease)

    def find(self, tag: str = "v1.0.0") -> ForgeRelease:
        found = self.forge.find_release(tag)
        assert found is not None
        return found


@pytest.fixture(params=["in memory", "on GitHub"])
def case(request: pytest.FixtureRequest) -> Iterator[Case]:
    if request.param == "in memory":
        forge = InMemoryForge()
        yield Case(forge, forge, forge.cut_next_upload)
        return
    github: Github = request.getfixturevalue("github")
    repository = github.add_repository()
    yield Case(github.open(repository), github.look(repository), lambda: github.cut_next_upload(repository))
    github.require_no_complaints(repository)


def write(folder: Path, name: str, content: bytes) -> Path:
    file = folder / name
    file.write_bytes(content)
    return file


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@pytest.mark.parametrize("tag", ["v1.0.0", "@acme/ui@1.0.0", "cart@1.0.0+build.1"])
def test_a_draft_is_found_by_its_tag_and_made_once(case: Case, tag: str) -> None:
    assert case.forge.find_release(tag) is None
    made = case.draft(tag)
    assert (made.tag, made.draft, made.assets) == (tag, True, {})
    writes = case.world.count_effects()
    assert case.draft(tag) == made == case.forge.find_release(tag)
    assert case.world.count_effects() == writes
    assert case.forge.find_release(f"{tag}0") is None


def test_a_draft_is_brought_to_the_newest_text(case: Case) -> None:
    made = case.draft()
    changed = case.forge.draft_release("v1.0.0", "Eins", "- zuerst\n- dann", prerelease=True)
    assert changed.identifier == made.identifier
    assert case.world.read_notes("v1.0.0") == ("Eins", "- zuerst\n- dann")


def test_a_published_page_keeps_its_text(case: Case) -> None:
    published = case.forge.publish_release(case.draft(), latest=False)
    page = case.forge.draft_release("v1.0.0", "Other", "- other", prerelease=False)
    assert (page.draft, page.url) == (False, published)
    assert case.world.read_notes("v1.0.0") == ("One", "- first")


@pytest.mark.parametrize("content", [b"\x1f\x8b\x00 no text \xff\xfe", b"", b"x" * 300_000])
def test_a_file_is_uploaded_once(case: Case, tmp_path: Path, content: bytes) -> None:
    release, file = case.draft(), write(tmp_path, "cart-1.0.0.tar.gz", content)
    assert case.forge.upload_asset(release, file) == Done("upload", "cart-1.0.0.tar.gz")
    writes = case.world.count_effects()
    assert isinstance(case.forge.upload_asset(release, file), Skipped)
    assert isinstance(case.forge.upload_asset(case.find(), file), Skipped)
    assert case.world.count_effects() == writes
    assert case.find().assets == {"cart-1.0.0.tar.gz": digest_of(content)}
    assert case.world.read_asset("v1.0.0", "cart-1.0.0.tar.gz") == content


def test_other_bytes_replace_a_file_of_a_draft(case: Case, tmp_path: Path) -> None:
    release = case.draft()
    case.forge.upload_asset(release, write(tmp_path, "a.tgz", b"one"))
    assert isinstance(case.forge.upload_asset(case.find(), write(tmp_path, "a.tgz", b"two")), Done)
    assert case.find().assets == {"a.tgz": digest_of(b"two")}


def test_other_bytes_are_refused_on_a_published_page_with_both_digests(case: Case, tmp_path: Path) -> None:
    release = case.draft()
    case.forge.upload_asset(release, write(tmp_path, "a.tgz", b"one"))
    case.forge.publish_release(release, latest=False)
    with pytest.raises(InputError) as refused:
        case.forge.upload_asset(case.find(), write(tmp_path, "a.tgz", b"two"))
    assert (refused.value.problem.expected, refused.value.problem.found) == (digest_of(b"two"), digest_of(b"one"))
    assert case.find().assets == {"a.tgz": digest_of(b"one")}


def test_an_upload_that_broke_off_is_no_file_and_is_done_again(case: Case, tmp_path: Path) -> None:
    release, file = case.draft(), write(tmp_path, "a.tgz", b"whole")
    case.cut_next_upload()
    with pytest.raises(TargetError):
        case.forge.upload_asset(release, file)
    assert case.find().assets == {"a.tgz": ""}
    assert isinstance(case.forge.upload_asset(case.find(), file), Done)
    assert case.find().assets == {"a.tgz": digest_of(b"whole")}


@pytest.mark.parametrize("name", ["a b.tgz", ".hidden", "dot.", "käse.tgz", "a@1.tgz", "a~1.deb"])
def test_a_name_that_a_forge_would_change_is_refused(case: Case, tmp_path: Path, name: str) -> None:
    release = case.draft()
    with pytest.raises(InputError, match="cannot be the name of a file"):
        case.forge.upload_asset(release, write(tmp_path, name, b"one"))
    assert case.find().assets == {}


def test_publishing_shows_the_page_once_and_moves_the_mark_only_when_asked(case: Case) -> None:
    first = case.draft()
    address = case.forge.publish_release(first, latest=True)
    assert (case.find().draft, case.find().url) == (False, address)
    assert case.world.read_latest() == "v1.0.0"
    writes = case.world.count_effects()
    assert case.forge.publish_release(case.find(), latest=True) == address
    assert case.forge.publish_release(first, latest=False) == address
    assert case.world.count_effects() == writes
    case.forge.publish_release(case.draft("v0.9.1"), latest=False)
    assert case.world.read_latest() == "v1.0.0"
    case.forge.publish_release(case.find("v0.9.1"), latest=True)
    assert case.world.read_latest() == "v0.9.1"


def test_a_prerelease_never_gets_the_mark_of_the_newest(case: Case) -> None:
    case.forge.publish_release(case.draft(), latest=True)
    case.forge.publish_release(case.draft("v2.0.0-rc.0", prerelease=True), latest=True)
    case.forge.publish_release(case.find("v2.0.0-rc.0"), latest=True)
    assert case.world.read_latest() == "v1.0.0"


def test_a_page_is_not_published_before_its_tag_is_there(case: Case) -> None:
    draft = case.forge.draft_release("v9.9.9", "Nine", "", prerelease=False)
    with pytest.raises(InputError, match=r"v9\.9\.9"):
        case.forge.publish_release(draft, latest=True)
    assert case.find("v9.9.9").draft
    case.world.push_tag("v9.9.9")
    case.forge.publish_release(draft, latest=True)
    assert not case.find("v9.9.9").draft


def test_a_withdrawn_page_begins_with_the_note_once_and_loses_the_mark(case: Case) -> None:
    case.forge.publish_release(case.draft(), latest=True)
    case.forge.mark_withdrawn(case.find(), "**Withdrawn:** it is slow")
    assert case.world.read_notes("v1.0.0") == ("One", "**Withdrawn:** it is slow\n\n- first")
    assert case.world.read_latest() == ""
    writes = case.world.count_effects()
    case.forge.mark_withdrawn(case.find(), "**Withdrawn:** it is slow")
    assert case.world.count_effects() == writes
    case.forge.publish_release(case.draft("v1.1.0"), latest=True)
    case.forge.mark_withdrawn(case.find(), "**Withdrawn:** it is slow")
    assert case.world.read_latest() == "v1.1.0"


def test_there_is_one_pull_request_of_a_branch_with_the_newest_text(case: Case) -> None:
    case.world.push_branch("main", "a")
    case.world.push_branch("release/next", "a", "b")
    address = case.forge.propose("release/next", "main", "Release", "- one")
    writes = case.world.count_effects()
    assert case.forge.propose("release/next", "main", "Release", "- one") == address
    assert case.world.count_effects() == writes
    assert case.forge.propose("release/next", "main", "Release 2", "- one\n- two") == address
    assert case.world.list_proposals() == [("release/next", "main", "Release 2", "- one\n- two")]


def test_a_branch_without_commits_of_its_own_cannot_be_proposed(case: Case) -> None:
    case.world.push_branch("main", "a", "b")
    case.world.push_branch("release/next", "a")
    with pytest.raises(InputError, match="there is no pull request"):
        case.forge.propose("release/next", "main", "Release", "")
    assert case.world.list_proposals() == []


def test_findings_are_shown_with_their_commit(case: Case, tmp_path: Path) -> None:
    sarif = write(tmp_path, "trivy.sarif", b'{"runs": []}')
    assert isinstance(case.forge.upload_sarif(sarif, COMMIT, "refs/heads/main"), Done)
    assert case.world.list_findings() == [(COMMIT, "refs/heads/main", b'{"runs": []}')]


def test_findings_are_skipped_where_nobody_takes_them(case: Case, tmp_path: Path) -> None:
    case.world.switch_off_code_scanning()
    outcome = case.forge.upload_sarif(write(tmp_path, "trivy.sarif", b"{}"), COMMIT, "refs/heads/main")
    assert isinstance(outcome, Skipped)
    assert outcome.reason
    assert case.world.list_findings() == []
