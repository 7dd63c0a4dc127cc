"""What GitHub's refusals and silences mean to whoever asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from githubkit.exception import GitHubException, RateLimitExceeded, RequestError, RequestFailed, RequestTimeout

from switchover.errors import InputError, SwitchoverError, TargetError

UNAUTHORIZED, FORBIDDEN, NOT_FOUND, CONFLICT, TOO_LARGE, UNPROCESSABLE = 401, 403, 404, 409, 413, 422
_BAD_REQUEST, _TOO_MANY = 400, 429
_MOST_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that says no: GitHub's words on one line, the codes of its errors, and the rights that it wants."""

    status: int
    words: str
    codes: tuple[str, ...] = ()
    wanted_rights: str = ""

    def __str__(self) -> str:
        """Write the status, and the words where there are any."""
        return f"{self.status}: {self.words}" if self.words else f"status {self.status}"


def read_refusal(error: RequestFailed, token: str) -> Refusal:
    """Take what counts out of an error's answer; the token is in none of it, whatever the answer quotes."""
    try:
        said = error.response.json()
    except ValueError:
        said = None
    headers = error.response.headers
    details = list(_read_details(said)) if isinstance(said, dict) else []
    message = str(said.get("message") or "") if isinstance(said, dict) else ""
    words = [message, *(detail for _, detail in details if detail and detail not in message)]
    return Refusal(
        status=error.response.status_code,
        words=shorten("; ".join(filter(None, words)), token),
        codes=tuple(code for code, _ in details if code),
        wanted_rights=shorten(_read_rights(headers), token),
    )


def explain_refusal(doing: str, refusal: Refusal, repository: str) -> SwitchoverError:
    """The error for a refusal that the caller has no answer to: ours to mend (`InputError`) or GitHub's."""
    failed = f"GitHub refused to {doing}"
    if refusal.status == UNAUTHORIZED:
        return InputError(
            failed,
            expected="a token that this GitHub accepts",
            found=str(refusal),
            next_step="renew the token, and check that it was made on this server",
        )
    if refusal.status == FORBIDDEN:
        return InputError(
            failed,
            expected=f"a token with {refusal.wanted_rights or f'the right to do so in {repository}'}",
            found=str(refusal),
            next_step="give the token that right, or read in the message what else the repository does not allow",
        )
    if refusal.status == NOT_FOUND:
        return InputError(
            failed,
            expected=f"that it is there, the repository {repository} too, and a token that may see it",
            found=str(refusal),
            next_step="correct release.github.repository, or give the token access to the repository",
        )
    if refusal.status in (_BAD_REQUEST, TOO_LARGE, UNPROCESSABLE):
        return InputError(
            failed, expected="a request that GitHub takes", found=str(refusal), next_step="do what the message says"
        )
    return TargetError(failed, expected="a success", found=str(refusal), next_step=_advise(refusal.status))


def explain_failure(doing: str, error: GitHubException, token: str, timeout_seconds: float) -> TargetError:
    """The error for a request that got no answer, or got one that means "later"."""
    if isinstance(error, RateLimitExceeded):
        return TargetError(
            f"GitHub refused to {doing}: the token's rate limit is used up",
            expected="requests that are left",
            found=str(read_refusal(error, token)),
            next_step=f"repeat {_read_time(error)}",
        )
    if isinstance(error, RequestTimeout):
        found = f"no answer within {timeout_seconds:g} s"
    else:
        cause = error.exc if isinstance(error, RequestError) else error
        found = shorten(f"{type(cause).__name__}: {cause}", token)
    return TargetError(
        f"GitHub did not answer when asked to {doing}",
        expected=f"an answer within {timeout_seconds:g} s",
        found=found,
        next_step="check that its API is reachable from here, then repeat",
    )


def unreadable(doing: str, found: str) -> TargetError:
    """The error for an answer that is no answer to what was asked."""
    return TargetError(
        f"GitHub's answer cannot be read when asked to {doing}",
        expected="what its API documents",
        found=found,
        next_step="check that release.github.api is the address of a GitHub API, then repeat",
    )


def shorten(text: str, token: str) -> str:
    """A foreign text on one line of bounded length, without the token."""
    plain = " ".join(text.replace(token, "…").split()) if token else " ".join(text.split())
    printable = "".join(character for character in plain if character.isprintable())
    return printable if len(printable) <= _MOST_CHARACTERS else f"{printable[:_MOST_CHARACTERS]}…"


def _read_details(said: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    listed = said.get("errors")
    for each in listed if isinstance(listed, list) else ():
        if isinstance(each, dict):
            code = str(each.get("code") or "")
            field = " ".join(str(each[name]) for name in ("resource", "field") if each.get(name))
            yield code, str(each.get("message") or f"{field} {code}".strip())
        else:
            yield "", str(each)


def _read_rights(headers: Mapping[str, str]) -> str:
    permissions = headers.get("x-accepted-github-permissions", "")
    scopes = headers.get("x-accepted-oauth-scopes", "")
    texts = [permissions and f"the permission {permissions}", scopes and f"the scope {scopes}"]
    return ", or ".join(filter(None, texts))


def _read_time(error: RateLimitExceeded) -> str:
    reset = error.response.headers.get("x-ratelimit-reset", "")
    if "retry-after" not in error.response.headers and reset.isdecimal():
        return f"after {datetime.fromtimestamp(int(reset), UTC):%Y-%m-%d %H:%M:%S} UTC"
    return f"in {error.retry_after.total_seconds():.0f} s"


def _advise(status: int) -> str:
    return "wait a few minutes, then repeat" if status == _TOO_MANY else "repeat; githubstatus.com says what is broken"
