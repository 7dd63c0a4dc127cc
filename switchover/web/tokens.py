"""Who may ask: tokens from the environment or a file, compared by their hashes in constant time."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from switchover.errors import InputError
from switchover.web.ofrep_answers import describe_failure, respond

TOKENS_VARIABLE: Final = "SWITCHOVER_OFREP_TOKENS"
SHORTEST_TOKEN: Final = 16
OPEN_PATHS: Final = frozenset({"/healthz"})

_HASHED: Final = "sha256:"
_DIGEST: Final = re.compile(r"[0-9a-f]{64}", re.IGNORECASE | re.ASCII)
_DIGITS: Final = 64
_BEARER: Final = "bearer "


def read_tokens(environment: Mapping[str, str], path: Path | None = None) -> tuple[str, ...]:
    """The tokens of `SWITCHOVER_OFREP_TOKENS` and of the file, separated by white space or commas.

    A token is a secret of at least 16 characters, or `sha256:` and the 64 hexadecimal digits of its hash, in either
    case. Raises `InputError` when one is neither (what begins like a hash is never taken for a secret) or the file
    cannot be read; no token is ever part of a message.
    """
    found = re.split(r"[\s,]+", environment.get(TOKENS_VARIABLE, "") + " " + _read_file(path))
    tokens = tuple(token for token in found if token)
    _digest_all(tokens)
    return tokens


class TokenGate:
    """Lets only those in who state one of the tokens, as `Authorization: Bearer` or `X-API-Key`."""

    def __init__(self, app: ASGIApp, tokens: Sequence[str]) -> None:
        self._app = app
        self._digests = _digest_all(tokens)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 401 before anything of the request's body is read."""
        if scope["type"] == "http" and scope["path"] not in OPEN_PATHS and not self._knows(Headers(scope=scope)):
            refusal = respond(401, describe_failure("a known token is needed"), {"WWW-Authenticate": "Bearer"})
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _knows(self, headers: Headers) -> bool:
        stated = headers.get("x-api-key", "")
        authorization = headers.get("authorization", "")
        if authorization[: len(_BEARER)].lower() == _BEARER:
            stated = authorization[len(_BEARER) :].strip()
        digest = hashlib.sha256(stated.encode("latin-1", "replace")).digest()
        # A list, not a generator: every token is compared, whichever it is.
        return any([hmac.compare_digest(digest, known) for known in self._digests])  # noqa: C419 - said above


def _digest_all(tokens: Sequence[str]) -> tuple[bytes, ...]:
    return tuple(_digest(token, position) for position, token in enumerate(tokens, 1))


def _digest(token: str, position: int) -> bytes:
    if token[: len(_HASHED)].lower() == _HASHED:
        return _read_digest(token[len(_HASHED) :], position)
    if len(token) < SHORTEST_TOKEN or not token.isascii():
        raise InputError(
            f"token {position} cannot be used",
            expected=f"{SHORTEST_TOKEN} ASCII characters or more, or sha256: and 64 hexadecimal digits",
            found=f"{len(token)} characters" if token.isascii() else "characters outside ASCII",
            next_step="make one, for example with `openssl rand -hex 24`",
        )
    return hashlib.sha256(token.encode("ascii")).digest()


def _read_digest(digits: str, position: int) -> bytes:
    if not _DIGEST.fullmatch(digits):
        raise InputError(
            f"token {position} cannot be used",
            expected=f"{_HASHED} and 64 hexadecimal digits",
            found=f"{_HASHED} and {len(digits)} characters"
            + ("" if len(digits) != _DIGITS else ", not all of them hexadecimal digits"),
            next_step="hash the secret anew: `sha256sum` of a file with the secret alone, without a line end",
        )
    return bytes.fromhex(digits)


def _read_file(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            "the tokens cannot be read",
            expected=f"a text file {path} with a token on each line",
            found=error.strerror or "no such file" if isinstance(error, OSError) else "bytes that are not UTF-8",
            next_step=f"write it, or put the tokens into {TOKENS_VARIABLE}",
        ) from error
