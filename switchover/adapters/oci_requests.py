"""Requests to a registry of images: who we are, what we may, and answers of a bounded size."""

from __future__ import annotations

import base64
import http.client
import json
import re
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import IO, Any

from switchover.adapters.docker_credentials import RegistryCredentials
from switchover.adapters.oci_transport import build_opener, origin_of
from switchover.decide.image_references import Repository, parse_challenge
from switchover.errors import InputError, TargetError

USUAL_SECONDS = 15.0
LARGEST_BYTES = 4 * 1024 * 1024
_LONGEST_QUOTE = 300
_OK, _UNAUTHORIZED, _FORBIDDEN = 200, 401, 403
_SERVER_ERRORS = range(500, 600)


class Right(StrEnum):
    """What a request needs to be allowed. The word is how a message names it."""

    READ = "read"
    PUSH = "push to"
    DELETE = "delete from"


@dataclass(frozen=True, slots=True)
class Content:
    """What a request carries. `open` gives a stream of `size_bytes`, from the start for every attempt."""

    open: Callable[[], AbstractContextManager[IO[bytes]]]
    size_bytes: int
    media_type: str


@dataclass(frozen=True, slots=True)
class RegistryAnswer:
    """A document and its headers, names in lower case. `url` is who said it, after any redirection."""

    status: int
    body: bytes
    headers: Mapping[str, str]
    url: str

    def value(self) -> dict[str, Any]:
        """The document as JSON; `TargetError` when it is something else."""
        value = self._parse()
        if not isinstance(value, dict):
            raise TargetError(
                "a registry answered with something that is no document of an image",
                expected="a JSON object",
                found=f"{len(self.body)} bytes of {self.headers.get('content-type', 'unknown type')}",
                next_step="check that `image` names a registry",
            )
        return value

    def explain(self) -> str:
        """The status, with the registry's own words where it has some."""
        value = self._parse()
        errors = value.get("errors") if isinstance(value, dict) else None
        first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
        words = " ".join(str(first[part]) for part in ("code", "message") if first.get(part))
        quoted = re.sub(r"[^\x20-\x7e]+", " ", words)[:_LONGEST_QUOTE]
        return f"status {self.status}" + (f": {quoted}" if quoted else "")

    def _parse(self) -> object:
        try:
            parsed: object = json.loads(self.body)
        except (ValueError, RecursionError):
            return None
        return parsed


class RegistryRequests:
    """Requests about one repository. Credentials go to the registry and to the token server that it names only.

    `seconds` is how long the registry may be silent. It may be used by several threads.
    """

    def __init__(
        self, repository: Repository, credentials: RegistryCredentials, *, plain_http: bool, seconds: float
    ) -> None:
        self.repository = repository
        self._credentials = credentials
        self._scheme = "http" if plain_http else "https"
        self._seconds = seconds
        self._root = f"{self._scheme}://{repository.address}/v2/{repository.path}/"
        # One per right: a token for reading that a thread gets must not replace another thread's for pushing.
        self._authorizations: dict[Right, str] = {}
        self._lock = threading.Lock()
        self._opener = build_opener()

    def ask(
        self,
        method: str,
        place: str,
        right: Right,
        failed: str,
        *,
        accept: Sequence[str] = (),
        content: Content | None = None,
    ) -> RegistryAnswer:
        """The answer from `place`, relative to the repository or a URL of the registry's own, whatever its status.

        `failed` begins the errors. Raises `InputError` for credentials without the right, `TargetError` for a
        registry that does not answer, or with more than 4 MiB.
        """
        url = place if place.startswith(("http://", "https://")) else self._root + place
        headers = {"Accept": ", ".join(accept)} if accept else {}
        used = self._authorizations.get(right, "")
        answer = self._send(method, url, headers, used, content, failed)
        # Another host, which a blob or an upload was moved to, has no business asking who we are.
        if answer.status == _UNAUTHORIZED and origin_of(answer.url) == origin_of(self._root):
            again = self._authorize(right, used, answer.headers.get("www-authenticate", ""), failed)
            answer = self._send(method, url, headers, again, content, failed)
        if answer.status in (_UNAUTHORIZED, _FORBIDDEN):
            raise InputError(
                f"may not {right} {self.repository.name}/{self.repository.path}",
                expected=f"credentials that the registry lets {right} it",
                found=answer.explain() + ("" if self._credentials != RegistryCredentials() else ", without any"),
                next_step=f"run `docker login {self.repository.name}`, or correct the repository in switchover.toml",
            )
        return answer

    def follow(self, answer: RegistryAnswer, failed: str) -> str:
        """The URL that an answer's `Location` names."""
        location = answer.headers.get("location", "")
        try:
            url = urllib.parse.urljoin(answer.url, location)
        except ValueError:
            url = ""
        if not location or origin_of(url)[0] not in {self._scheme, "https"}:
            raise self.silent(failed, f"{answer.explain()}, and no place to go on that is as safe as this one")
        return url

    def silent(self, failed: str, found: str) -> TargetError:
        """The error for a registry that does not answer, or not with what can be worked with."""
        return TargetError(
            failed,
            expected=f"an answer about {self.repository.path} within {self._seconds:g} s",
            found=found,
            next_step="check that it is reachable from here, then repeat",
        )

    def refused(self, failed: str, answer: RegistryAnswer) -> TargetError:
        """The error for a status that means no."""
        return TargetError(
            failed,
            expected="a registry that agrees",
            found=answer.explain(),
            next_step="correct what it says, or look into the registry's own log, then repeat",
        )

    def _authorize(self, right: Right, used: str, challenge: str, failed: str) -> str:
        with self._lock:
            if self._authorizations.get(right, "") == used:
                self._authorizations[right] = self._prove(challenge, failed)
            return self._authorizations[right]

    def _prove(self, challenge: str, failed: str) -> str:
        """What to say in `Authorization` to meet the challenge; empty where we have nothing to say."""
        scheme, parameters = parse_challenge(challenge)
        if scheme == "basic" or not parameters.get("realm"):
            return self._basic()
        realm = parameters["realm"]
        if origin_of(realm)[0] not in {self._scheme, "https"}:
            raise self.silent(failed, f"a token server without TLS: {realm}")
        asked = {name: value for name, value in parameters.items() if name in {"service", "scope"}}
        body: bytes | None = None
        headers: dict[str, str] = {}
        if self._credentials.identity_token:
            form = {**asked, "grant_type": "refresh_token", "client_id": "switchover"}
            form["refresh_token"] = self._credentials.identity_token
            body = urllib.parse.urlencode(form).encode()
        else:
            realm += f"{'&' if '?' in realm else '?'}{urllib.parse.urlencode(asked)}"
            headers = {"Authorization": self._basic()} if self._credentials.user else {}
        answer = self._open(urllib.request.Request(realm, data=body, headers=headers), failed)  # noqa: S310 checked above
        if answer.status in _SERVER_ERRORS:
            raise self.silent(failed, f"{answer.explain()}, from its token server")
        said = answer.value() if answer.status == _OK else {}
        token = said.get("token") or said.get("access_token")
        return f"Bearer {token}" if token else ""

    def _basic(self) -> str:
        both = f"{self._credentials.user}:{self._credentials.password}"
        return f"Basic {base64.b64encode(both.encode()).decode()}" if self._credentials.user else ""

    def _send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        authorization: str,
        content: Content | None,
        failed: str,
    ) -> RegistryAnswer:
        sent = dict(headers)
        if authorization and origin_of(url) == origin_of(self._root):
            sent["Authorization"] = authorization
        if content is None:
            return self._open(urllib.request.Request(url, headers=sent, method=method), failed)  # noqa: S310 ours
        sent |= {"Content-Type": content.media_type, "Content-Length": str(content.size_bytes)}
        with content.open() as stream:
            request = urllib.request.Request(url, data=stream, headers=sent, method=method)  # noqa: S310 as above
            return self._open(request, failed)

    def _open(self, request: urllib.request.Request, failed: str) -> RegistryAnswer:
        try:
            with self._opener.open(request, timeout=self._seconds) as answer:
                return self._take(answer, failed)
        except urllib.error.HTTPError as error:
            with error:
                return self._take(error, failed)
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise self.silent(failed, f"{type(reason).__name__}: {reason}") from None

    def _take(self, answer: Any, failed: str) -> RegistryAnswer:
        try:
            body = answer.read(LARGEST_BYTES + 1)
        except (OSError, http.client.HTTPException) as error:
            raise self.silent(failed, f"{type(error).__name__}: {error}") from None
        if len(body) > LARGEST_BYTES:
            raise self.silent(failed, f"an answer of more than {LARGEST_BYTES} bytes")
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return RegistryAnswer(answer.status, body, headers, answer.url)
