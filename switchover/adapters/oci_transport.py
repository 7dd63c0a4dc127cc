"""How requests travel to a registry: what happens at redirections, and to large bodies."""

from __future__ import annotations

import http.client
import urllib.parse
import urllib.request
from typing import Any

_PORTS = {"http": 80, "https": 443}


def build_opener() -> urllib.request.OpenerDirector:
    """Opens requests. Only reads are redirected, never to less safety, and `Authorization` stays with its origin."""
    return urllib.request.build_opener(_Redirections(), _PlainHandler(), _TlsHandler())


def origin_of(url: str) -> tuple[str, str, int]:
    """Scheme, host and port; nothing in them for what is no URL."""
    try:
        parts = urllib.parse.urlsplit(url)
        return parts.scheme, parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError:
        return "", "", 0


class _Redirections(urllib.request.HTTPRedirectHandler):
    """Follows those of reads, but what is meant for the registry is not told to the store that its blobs are in."""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        method = req.get_method()
        if method not in {"GET", "HEAD"} or origin_of(newurl)[0] not in {req.type, "https"}:
            return None
        new = super().redirect_request(req, fp, code, msg, headers, newurl)
        if new is not None:
            new.method = method
            if origin_of(newurl) != origin_of(req.full_url):
                new.remove_header("Authorization")
        return new


class _Connection(http.client.HTTPConnection):
    """Hears what a registry says before it has taken the whole of a body: that it is too large, for example."""

    def request(self, *args: Any, **named: Any) -> None:
        try:
            super().request(*args, **named)
        except (BrokenPipeError, ConnectionResetError):
            if self.sock is None:
                raise


class _TlsConnection(_Connection, http.client.HTTPSConnection):
    """The same with TLS."""


class _PlainHandler(urllib.request.HTTPHandler):
    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_Connection, req)


class _TlsHandler(urllib.request.HTTPSHandler):
    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_TlsConnection, req)
