"""Reads from a registry by the OCI distribution API."""

from __future__ import annotations

import base64
import http.client
import json
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

from switchover.adapters.docker_credentials import RegistryCredentials
from switchover.decide.image_references import Repository, parse_challenge
from switchover.errors import InputError, TargetError

_SECONDS = 15.0
_LARGEST_BYTES = 4 * 1024 * 1024
_OK, _UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND = 200, 401, 403, 404


@dataclass(frozen=True, slots=True)
class RegistryAnswer:
    """A document and its headers, names in lower case."""

    body: bytes
    headers: Mapping[str, str]

    def value(self) -> dict[str, Any]:
        """The document as JSON; `TargetError` when it is something else."""
        try:
            value = json.loads(self.body)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise TargetError(
                "a registry answered with something that is no document of an image",
                expected="a JSON object",
                found=f"{len(self.body)} bytes of {self.headers.get('content-type', 'unknown type')}",
                next_step="check that `image` names a registry",
            )
        return value


class OciRegistry:
    """One repository. Credentials go to the registry and to the token server that it names, nowhere else."""

    def __init__(self, repository: Repository, credentials: RegistryCredentials, *, plain_http: bool) -> None:
        self._repository = repository
        self._credentials = credentials
        self._scheme = "http" if plain_http else "https"
        self._authorization = ""
        self._lock = threading.Lock()
        self._opener = urllib.request.build_opener(_Redirections())

    def read(self, path: str, accept: Sequence[str] = (), *, method: str = "GET") -> RegistryAnswer | None:
        """What is at `/v2/<repository>/<path>`; None when there is none.

        Raises `InputError` for credentials that do not suffice, `TargetError` for a registry that does not answer, or
        with more than 4 MiB.
        """
        url = f"{self._scheme}://{self._repository.address}/v2/{self._repository.path}/{path}"
        status, answer = self._send(url, accept, method)
        if status == _UNAUTHORIZED:
            self._authorize(answer.headers.get("www-authenticate", ""))
            status, answer = self._send(url, accept, method)
        if status == _OK:
            return answer
        if status == _NOT_FOUND:
            return None
        if status in (_UNAUTHORIZED, _FORBIDDEN):
            raise InputError(
                f"may not read {self._repository.name}/{self._repository.path}",
                expected="credentials that the registry accepts for it",
                found=f"status {status}" + ("" if self._credentials != RegistryCredentials() else ", without any"),
                next_step=f"run `docker login {self._repository.name}`, or correct `image`",
            )
        raise self._silent(f"status {status}")

    def _authorize(self, challenge: str) -> None:
        scheme, parameters = parse_challenge(challenge)
        if scheme == "basic" or not parameters.get("realm"):
            self._authorization = self._basic()
            return
        realm = parameters["realm"]
        if not realm.startswith(f"{self._scheme}://") and not realm.startswith("https://"):
            raise self._silent(f"a token server without TLS: {realm}")
        asked = {name: value for name, value in parameters.items() if name in {"service", "scope"}}
        self._authorization = ""
        body: bytes | None = None
        headers: dict[str, str] = {}
        if self._credentials.identity_token:
            form = {**asked, "grant_type": "refresh_token", "client_id": "switchover"}
            form["refresh_token"] = self._credentials.identity_token
            body = urllib.parse.urlencode(form).encode()
        else:
            realm += f"?{urllib.parse.urlencode(asked)}"
            headers = {"Authorization": self._basic()} if self._credentials.user else {}
        status, answer = self._open(urllib.request.Request(realm, data=body, headers=headers))  # noqa: S310 checked above
        if status == _OK:
            said = answer.value()
            token = said.get("token") or said.get("access_token")
            self._authorization = f"Bearer {token}" if token else ""

    def _basic(self) -> str:
        both = f"{self._credentials.user}:{self._credentials.password}"
        return f"Basic {base64.b64encode(both.encode()).decode()}" if self._credentials.user else ""

    def _send(self, url: str, accept: Sequence[str], method: str) -> tuple[int, RegistryAnswer]:
        headers = {"Accept": ", ".join(accept)} if accept else {}
        if self._authorization:
            headers["Authorization"] = self._authorization
        return self._open(urllib.request.Request(url, headers=headers, method=method))  # noqa: S310 http or https

    def _open(self, request: urllib.request.Request) -> tuple[int, RegistryAnswer]:
        try:
            with self._lock, self._opener.open(request, timeout=_SECONDS) as answer:
                return answer.status, self._take(answer, answer.headers)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, self._take(error, error.headers)
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise self._silent(f"{type(reason).__name__}: {reason}") from None

    def _take(self, answer: IO[bytes], headers: Any) -> RegistryAnswer:
        body = answer.read(_LARGEST_BYTES + 1)
        if len(body) > _LARGEST_BYTES:
            raise self._silent(f"an answer of more than {_LARGEST_BYTES} bytes")
        return RegistryAnswer(body, {name.lower(): value for name, value in headers.items()})

    def _silent(self, found: str) -> TargetError:
        return TargetError(
            f"the registry {self._repository.name} did not say what it has",
            expected=f"an answer about {self._repository.path} within {_SECONDS:.0f} s",
            found=found,
            next_step="check that it is reachable from here, then repeat",
        )


class _Redirections(urllib.request.HTTPRedirectHandler):
    """Follows them, but what is meant for the registry is not told to the store that its blobs are in."""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        new = super().redirect_request(req, fp, code, msg, headers, newurl)
        if new is not None and urllib.parse.urlsplit(newurl).netloc != urllib.parse.urlsplit(req.full_url).netloc:
            new.remove_header("Authorization")
        return new
