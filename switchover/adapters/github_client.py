"""Requests to one repository on GitHub: bounded in time and size, never repeated, errors in our words."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Iterator
from functools import partial
from typing import Any

import httpx
from githubkit import GitHub, Response, TokenAuthStrategy
from githubkit.exception import GitHubException, RateLimitExceeded, RequestFailed

from switchover.adapters.github_errors import (
    Refusal,
    explain_failure,
    explain_refusal,
    read_refusal,
    unreadable,
)
from switchover.errors import InputError, SwitchoverError

Github = GitHub[TokenAuthStrategy]
Request = Callable[[Github], "Response[Any, Any]"]
PageRequest = Callable[[Github, int], "Response[Any, Any]"]
PAGE_SIZE = 100
_MOST_BYTES = 64 * 1024 * 1024
_GITHUB = "api.github.com"
# An enterprise server refuses the version that githubkit asks for until it is new enough, and all know this one.
_OLDER_VERSION = "2022-11-28"
_REPOSITORY = re.compile(r"([A-Za-z0-9-]+)/([A-Za-z0-9._-]+)")


class GithubClient:
    """`owner` and `name` of the repository, and what is asked about it.

    Raises `InputError` for a repository or a token that can be none. The token is in no error and no `repr`.
    """

    def __init__(self, repository: str, *, api: str, token: str, timeout_seconds: float) -> None:
        matched = _REPOSITORY.fullmatch(repository)
        if matched is None:
            raise InputError(
                "the repository on GitHub has no such name",
                expected="owner/name",
                found=repr(repository),
                next_step="correct release.github.repository",
            )
        if not re.fullmatch(r"[!-~]+", token):
            raise InputError(
                "the token for GitHub can be none",
                expected="printable characters without spaces or line breaks",
                found="an empty text" if not token else f"{len(token)} characters, of which some are others",
                next_step="set the variable that release.github.token_variable names again",
            )
        self.repository = repository
        self.owner, self.name = matched.groups()
        self._is_encrypted = api.startswith("https:")
        self._token = token
        self._timeout_seconds = timeout_seconds
        self._github = GitHub(
            token,
            base_url=api,
            user_agent="switchover",
            timeout=timeout_seconds,
            # Every request has a client of its own; the certificates need not be read every time.
            ssl_verify=httpx.create_ssl_context(),
            # Its repetitions sleep as long as a rate limit says, an hour perhaps, and without a word.
            auto_retry=False,
            http_cache=False,
            # GitHub checks the bodies itself, and the models for doing so here take long to import.
            rest_api_validate_body=False,
            event_hooks={
                "request": [] if httpx.URL(api).host == _GITHUB else [_ask_for_older_version],
                "response": [self._bound],
            },
        )

    def ask(self, doing: str, request: Request, *, allow: Collection[int] = ()) -> Any:
        """The JSON of the answer, None where it is empty, or a `Refusal` with a status in `allow`.

        `doing` completes "refused to …". Raises `InputError` where token, repository or request are wrong,
        `TargetError` for anything that may be different next time, with the time of a rate limit's end.
        """
        return self._ask(doing, request, allow)[0]

    def ask_pages(self, doing: str, request: PageRequest, most: int) -> Iterator[Any]:
        """The entries of a list, in at most so many requests; `request` gets the number of the page too."""
        for number in range(1, most + 1):
            entries, links = self._ask(doing, partial(_turn, request, number), ())
            if not isinstance(entries, list):
                raise unreadable(doing, f"no list but {type(entries).__name__}")
            yield from entries
            if "next" not in links:
                return

    def refuse(self, doing: str, refusal: Refusal) -> SwitchoverError:
        """The error for an allowed refusal that the caller cannot make sense of."""
        return explain_refusal(doing, refusal, self.repository)

    def check_encrypted(self, doing: str, address: str) -> str:
        """Return the address that an answer named, if the token may go there as safely as to the API."""
        allowed = ("https://",) if self._is_encrypted else ("https://", "http://")
        if not address.startswith(allowed):
            raise unreadable(doing, f"an address without TLS: {address[:200]!r}")
        return address

    def _ask(self, doing: str, request: Request, allow: Collection[int]) -> tuple[Any, Collection[str | None]]:
        try:
            answer = request(self._github)
            links = answer.raw_response.links
            return (answer.json() if answer.content else None), links
        except RateLimitExceeded as error:
            raise explain_failure(doing, error, self._token, self._timeout_seconds) from error
        except RequestFailed as error:
            refusal = read_refusal(error, self._token)
            if refusal.status in allow:
                return refusal, ()
            raise explain_refusal(doing, refusal, self.repository) from error
        except GitHubException as error:
            raise explain_failure(doing, error, self._token, self._timeout_seconds) from error
        except (ValueError, TypeError) as error:
            # No JSON, or headers of a rate limit that githubkit stumbles over.
            raise unreadable(doing, type(error).__name__) from error

    def _bound(self, response: httpx.Response) -> None:
        if isinstance(response.stream, httpx.SyncByteStream):
            response.stream = _BoundedStream(response.stream, time.monotonic() + self._timeout_seconds)


def _turn(request: PageRequest, number: int, github: Github) -> Response[Any, Any]:
    return request(github, number)


def _ask_for_older_version(request: httpx.Request) -> None:
    request.headers["X-GitHub-Api-Version"] = _OLDER_VERSION


class _BoundedStream(httpx.SyncByteStream):
    """An answer that ends: the client's own timeout only counts the silence between two pieces."""

    def __init__(self, stream: httpx.SyncByteStream, until: float) -> None:
        self._stream = stream
        self._until = until

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        for piece in self._stream:
            size += len(piece)
            if size > _MOST_BYTES:
                failed = f"an answer of more than {_MOST_BYTES} bytes"
                raise httpx.DecodingError(failed)
            if time.monotonic() > self._until:
                failed = "the answer did not end"
                raise httpx.ReadTimeout(failed)
            yield piece

    def close(self) -> None:
        self._stream.close()
