"""The HTTP interface of an npm registry, as far as a release asks it itself."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from switchover.adapters.npm_documents import Packument, parse_packument
from switchover.errors import InputError, TargetError

LARGEST_BYTES = 64 * 1024 * 1024
_CHUNK_BYTES = 256 * 1024
_SHOWN_BYTES = 300
_OK = range(200, 300)
_NOT_FOUND = 404
_NO_RIGHT = (401, 403)


class NpmApi:
    """A registry at its address, with a token (empty: as anybody). Every question ends within `seconds`.

    The token goes to the registry's own address only, and enters no error.
    """

    def __init__(self, registry: str, token: str, seconds: float) -> None:
        self.registry = registry.rstrip("/") + "/"
        self._token = token
        self._seconds = seconds
        self._opener = urllib.request.build_opener(_Redirections())

    def read_packument(self, name: str) -> Packument | None:
        """What the registry has of a package, past all caches; None when it knows none of that name.

        Raises `InputError` for a token without the right to read it, `TargetError` for a registry that does not
        answer, or with something else.
        """
        failed = f"the registry {self.registry} did not say what it has of {name}"
        status, body = self._ask("GET", f"{_escape(name)}?write=true", None, failed)
        if status == _NOT_FOUND:
            return None
        self._require_right(status, f"may not read {name} in {self.registry}", "read")
        if status not in _OK:
            raise self._silent(failed, _describe(status, body))
        try:
            return parse_packument(body, name)
        except ValueError as error:
            raise self._silent(failed, str(error)) from None

    def set_tag(self, name: str, tag: str, version: str) -> None:
        """Point a dist-tag at a version, or remove it for an empty one; same errors."""
        failed = f"the registry {self.registry} did not move the tag {tag} of {name}"
        path = f"-/package/{_escape(name)}/dist-tags/{_escape(tag)}"
        status, body = self._ask("PUT" if version else "DELETE", path, json.dumps(version) if version else None, failed)
        self._require_right(status, f"may not move the tag {tag} of {name} in {self.registry}", "change tags of")
        if status not in _OK and (version or status != _NOT_FOUND):
            raise self._silent(failed, _describe(status, body))

    def scrub(self, text: str) -> str:
        """The text without the token."""
        return text.replace(self._token, "***") if self._token else text

    def _require_right(self, status: int, failed: str, right: str) -> None:
        if status in _NO_RIGHT:
            raise InputError(
                failed,
                expected=f"a token with the right to {right} the package",
                found=f"status {status}" + ("" if self._token else ", without any token"),
                next_step="put a token with that right into the variable that release.npm.token_variable names",
            )

    def _ask(self, method: str, path: str, content: str | None, failed: str) -> tuple[int, bytes]:
        headers = {"Accept": "application/json", "Cache-Control": "no-cache"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        if content is not None:
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(  # noqa: S310 the settings allow http and https
            self.registry + path, data=content.encode() if content else None, headers=headers, method=method
        )
        ends = time.monotonic() + self._seconds
        try:
            try:
                with self._opener.open(request, timeout=self._seconds) as answer:
                    return answer.status, self._take(answer, ends, failed)
            except urllib.error.HTTPError as error:
                with error:
                    return error.code, error.read(_SHOWN_BYTES)
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise self._silent(failed, f"{type(reason).__name__}: {self.scrub(str(reason))}") from None

    def _take(self, answer: http.client.HTTPResponse, ends: float, failed: str) -> bytes:
        body = bytearray()
        while chunk := answer.read1(_CHUNK_BYTES):
            body += chunk
            if len(body) > LARGEST_BYTES:
                raise self._silent(failed, f"an answer of more than {LARGEST_BYTES} bytes")
            if time.monotonic() > ends:
                raise self._silent(failed, f"{len(body)} bytes and no end")
        return bytes(body)

    def _silent(self, failed: str, found: str) -> TargetError:
        return TargetError(
            failed,
            expected=f"the whole answer within {self._seconds:g} s",
            found=self.scrub(found),
            next_step="check that the registry is reachable from here, then run again: it is asked first",
        )


class _Redirections(urllib.request.HTTPRedirectHandler):
    """Follows them, but tells another address nothing that was meant for the registry."""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        new = super().redirect_request(req, fp, code, msg, headers, newurl)
        old_place, new_place = urllib.parse.urlsplit(req.full_url), urllib.parse.urlsplit(newurl)
        if new is not None and (old_place.scheme, old_place.netloc) != (new_place.scheme, new_place.netloc):
            new.remove_header("Authorization")
        return new


def _escape(part: str) -> str:
    return urllib.parse.quote(part, safe="@")


def _describe(status: int, body: bytes) -> str:
    said = " ".join(body[:_SHOWN_BYTES].decode(errors="replace").split())
    return f"status {status}" + (f": {said}" if said else "")
