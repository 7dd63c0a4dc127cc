"""How GitHub's errors and silences are told, each once, and never with the token."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from switchover.adapters.github_client import GithubClient
from switchover.adapters.github_forge import GithubForge
from switchover.errors import InputError, SwitchoverError, TargetError
from switchover.operations.shared_places import ForgeRelease
from tests.real_parts.github import Github
from tests.real_parts.github_repository import HostedRepository
from tests.real_parts.github_stand_in import TOKEN, Handler, drip, hang, saying, sending

COMMIT = "c" * 40


@pytest.fixture
def repository(github: Github) -> HostedRepository:
    return github.add_repository()


@pytest.fixture
def unheld(github: Github, repository: HostedRepository) -> GithubForge:
    return github.open_unheld(repository)


def draft(forge: GithubForge) -> ForgeRelease:
    return forge.draft_release("v1.0.0", "One", "- first", prerelease=False)


def write(folder: Path) -> Path:
    file = folder / "a.tgz"
    file.write_bytes(b"bytes")
    return file


# The first request of each, and the call.
CALLS: dict[str, tuple[str, Callable[[GithubForge, Path], object]]] = {
    "find_release": ("GET", lambda forge, _: forge.find_release("v1.0.0")),
    "draft_release": ("GET", lambda forge, _: draft(forge)),
    "upload_asset": ("GET", lambda forge, folder: forge.upload_asset(known(), write(folder))),
    "publish_release": ("GET", lambda forge, _: forge.publish_release(known(), latest=True)),
    "mark_withdrawn": ("GET", lambda forge, _: forge.mark_withdrawn(known(), "gone")),
    "propose": ("GET", lambda forge, _: forge.propose("next", "main", "Release", "")),
    "upload_sarif": ("POST", lambda forge, folder: forge.upload_sarif(write(folder), COMMIT, "refs/heads/main")),
}
GARBAGE = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>"
FAULTS: list[tuple[str, Callable[[Handler], None], type[SwitchoverError], str]] = [
    ("401", saying(401, "Bad credentials"), InputError, "a token that this GitHub accepts"),
    ("500", saying(500, "Oops"), TargetError, "500: Oops"),
    ("502", sending(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"), TargetError, "status 502"),
    (
        "429",
        saying(429, "Slow down", retry_after="61"),
        TargetError,
        "rate limit is used up\n.*\n.*429: Slow down\n.*in 61 s",
    ),
    ("429 plain", saying(429, "Slow down"), TargetError, "wait a few minutes"),
    (
        "403 limit",
        saying(403, "API rate limit exceeded", x_ratelimit_remaining="0", x_ratelimit_reset="4102444800"),
        TargetError,
        "repeat after 2100-01-01 00:00:00 UTC",
    ),
    ("403 secondary", saying(403, "secondary rate limit", retry_after="60"), TargetError, "repeat in 60 s"),
    ("bad retry-after", saying(403, "limit", retry_after="soon"), TargetError, "cannot be read"),
    ("hang up", sending(b""), TargetError, "did not answer"),
    ("half a header", sending(b"HTTP/1.1 200 OK\r\nContent-Le"), TargetError, "did not answer"),
    ("no HTTP", sending(b"SSH-2.0-OpenSSH_10\r\n"), TargetError, "did not answer"),
    ("no JSON", sending(GARBAGE), TargetError, "cannot be read"),
    ("null", sending(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnull"), TargetError, "cannot be read"),
    ("other JSON", sending(b'HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n{"id":1}'), TargetError, "cannot be read"),
]


def known() -> ForgeRelease:
    return ForgeRelease(1, "v1.0.0", draft=True, url="", assets={})


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize(("act", "kind", "words"), [each[1:] for each in FAULTS], ids=[each[0] for each in FAULTS])
def test_every_call_says_what_is_wrong_once_and_never_the_token(
    github: Github,
    unheld: GithubForge,
    repository: HostedRepository,
    tmp_path: Path,
    call: tuple[str, Callable[[GithubForge, Path], object]],
    act: Callable[[Handler], None],
    kind: type[SwitchoverError],
    words: str,
) -> None:
    method, ask = call
    github.stand_in.fail_next(repository.name, method, "", act)
    with pytest.raises(kind, match=words) as failed:
        ask(unheld, tmp_path)
    assert TOKEN not in "".join(traceback.format_exception(failed.value))
    assert not github.stand_in.faults[repository.name]
    assert repository.writes == 0


def test_a_right_that_the_token_lacks_is_named(
    github: Github, unheld: GithubForge, repository: HostedRepository
) -> None:
    refuse = saying(
        403,
        "Resource not accessible by personal access token",
        x_accepted_github_permissions="contents=write",
        x_accepted_oauth_scopes="repo",
    )
    github.stand_in.fail_next(repository.name, "POST", "/releases", refuse)
    with pytest.raises(InputError, match="the permission contents=write, or the scope repo"):
        draft(unheld)
    github.stand_in.fail_next(repository.name, "POST", "/releases", saying(403, "Repository was archived"))
    with pytest.raises(InputError, match="Repository was archived"):
        draft(unheld)


def test_a_branch_that_was_not_pushed_is_named_by_githubs_words(unheld: GithubForge) -> None:
    with pytest.raises(InputError, match="PullRequest head invalid"):
        unheld.propose("missing", "main", "Release", "")


def test_a_repository_that_cannot_be_seen_is_named(github: Github) -> None:
    forge = GithubForge("acme/nothing", api=github.stand_in.address, token=TOKEN)
    with pytest.raises(InputError, match="the repository acme/nothing too"):
        forge.find_release("v1.0.0")


def test_a_wrong_token_is_refused_without_being_shown(github: Github, repository: HostedRepository) -> None:
    forge = GithubForge(repository.name, api=github.stand_in.address, token="ghs_wrong")  # noqa: S106 it is wrong
    with pytest.raises(InputError, match="401: Bad credentials") as failed:
        forge.find_release("v1.0.0")
    assert "ghs_wrong" not in "".join(traceback.format_exception(failed.value))


@pytest.mark.parametrize("act", [hang, drip], ids=["silence", "an answer without an end"])
def test_a_github_that_takes_too_long_is_left(
    github: Github, repository: HostedRepository, act: Callable[[Handler], None]
) -> None:
    forge = github.open_unheld(repository, timeout_seconds=0.3)
    github.stand_in.fail_next(repository.name, "GET", "", act)
    with pytest.raises(TargetError, match=r"no answer within 0\.3 s"):
        forge.find_release("v1.0.0")


def test_a_github_that_is_not_there_is_named(repository: HostedRepository) -> None:
    forge = GithubForge(repository.name, api="http://127.0.0.1:1", token=TOKEN)
    with pytest.raises(TargetError, match="ConnectError"):
        forge.find_release("v1.0.0")


@pytest.mark.parametrize("token", ["", "two words", "ghs_line\n", "ghs_ä"])
def test_what_can_be_no_token_is_refused_unseen(token: str) -> None:
    with pytest.raises(InputError, match="can be none") as refused:
        GithubForge("acme/shop", api="http://127.0.0.1:1", token=token)
    assert not token or token not in str(refused.value)


@pytest.mark.parametrize("repository", ["shop", "acme/shop/more", "acme/", "acme/shop?x"])
def test_what_can_be_no_repository_is_refused(repository: str) -> None:
    with pytest.raises(InputError, match="owner/name"):
        GithubForge(repository, api="http://127.0.0.1:1", token=TOKEN)


def test_an_answer_that_quotes_the_token_is_shown_without_it(
    github: Github, unheld: GithubForge, repository: HostedRepository, caplog: pytest.LogCaptureFixture
) -> None:
    github.stand_in.fail_next(repository.name, "GET", "", saying(400, f"bad header: token {TOKEN}"))
    with caplog.at_level(logging.DEBUG), pytest.raises(InputError, match="bad header: token …") as failed:
        unheld.find_release("v1.0.0")
    assert TOKEN not in "".join(traceback.format_exception(failed.value))
    assert TOKEN not in caplog.text
    assert TOKEN not in repr(unheld)


def test_an_address_without_tls_is_not_followed_from_an_api_that_has_it() -> None:
    client = GithubClient("acme/shop", api="https://github.example", token=TOKEN, timeout_seconds=1)
    assert client.check_encrypted("upload", "https://uploads.example/1") == "https://uploads.example/1"
    with pytest.raises(TargetError, match="without TLS"):
        client.check_encrypted("upload", "http://uploads.example/1")
