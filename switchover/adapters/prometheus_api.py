"""Asks a Prometheus, or what speaks its API, for the values of an expression now."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlencode, urlsplit

from switchover.errors import InputError, TargetError

_TIMEOUT_SECONDS = 5.0
_LARGEST_ANSWER = 4_000_000
_OK, _UNKNOWN_ADDRESS, _TOO_MANY, _SERVER_ERROR = 200, 404, 429, 500
_NO_ACCESS = (401, 403)
_BAD_QUERY = (400, 422)
_LONGEST_QUOTE = 300


class PrometheusSilentError(TargetError):
    """No answer for now: nobody there, too slow, overloaded. Reaction: ask again soon."""


class BadQueryError(InputError):
    """Prometheus does not understand an expression. Reaction: correct it."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of one series; `at` is the time of the question by the clock of Prometheus."""

    labels: Mapping[str, str]
    value: float
    at: float


class PrometheusApi:
    """Instant queries. The token goes nowhere but into the header, redirections are not followed.

    `read_token` is called when something is asked, so that nothing else can fail for a token; empty: there is none.
    """

    def __init__(self, url: str, read_token: Callable[[], str] = str) -> None:
        self._url = _split(url)
        self._read_token = read_token
        self._token = ""

    def __repr__(self) -> str:
        """The address; the token is nobody's business."""
        return f"PrometheusApi({self.address})"

    @property
    def address(self) -> str:
        """Where it is asked, without what may be secret."""
        return f"{self._url.scheme}://{self._url.netloc}{self._url.path}"

    def ask(self, query: str, what: str) -> tuple[Sample, ...]:
        """The samples of an instant vector. `what` names the query in errors.

        Raises `PrometheusSilentError` for what may be over soon, `BadQueryError` with the words of Prometheus,
        `TargetError` for a token that is not accepted and for anything that is no such answer, and what
        `require_token` raises.
        """
        self.require_token()
        status, body = self._post(query, what)
        if status == _OK:
            return self._parse(body, what)
        if status in _NO_ACCESS:
            raise TargetError(
                f"Prometheus at {self.address} does not let us in",
                expected="a bearer token that may query it" if self._token else "no token to be needed",
                found=f"status {status}",
                next_step="renew the token in the variable that `token_variable` names" if self._token else _NAME_IT,
            )
        if status in _BAD_QUERY:
            raise BadQueryError(
                f"the query {what} is not understood",
                expected="PromQL that gives an instant vector",
                found=f"{self._quote_error(body)}; asked was: {query}",
                next_step="correct it in the section `prometheus` of the environment",
            )
        if status == _TOO_MANY or status >= _SERVER_ERROR:
            raise self._silent(what, f"status {status}: {self._quote_error(body)}")
        raise TargetError(
            f"{self.address} is not the API of Prometheus",
            expected=f"an answer to POST {self._path()}",
            found=f"status {status}" + (" (there is nothing)" if status == _UNKNOWN_ADDRESS else ""),
            next_step="correct `url` in the section `prometheus` of the environment",
        )

    def require_token(self) -> None:
        """Raise `InputError` when the token is not there or cannot be sent. Asks nobody."""
        token = self._read_token()
        if not token.isascii() or not token.isprintable() or " " in token:
            raise InputError(
                "the token for Prometheus cannot be sent",
                expected="printable ASCII without spaces or line ends",
                found="something else (it is not shown)",
                next_step="correct the variable that `token_variable` names",
            )
        self._token = token

    def _post(self, query: str, what: str) -> tuple[int, bytes]:
        kind = http.client.HTTPSConnection if self._url.scheme == "https" else http.client.HTTPConnection
        connection = kind(self._url.hostname or "", self._url.port, timeout=_TIMEOUT_SECONDS)
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        form = urlencode({"query": query, "timeout": f"{_TIMEOUT_SECONDS:g}s"})
        try:
            connection.request("POST", self._path(), form, headers)
            answer = connection.getresponse()
            body = answer.read(_LARGEST_ANSWER + 1)
        except (OSError, http.client.HTTPException) as error:
            raise self._silent(what, str(error) or type(error).__name__) from error
        finally:
            connection.close()
        if len(body) > _LARGEST_ANSWER:
            raise _garbled(what, f"more than {_LARGEST_ANSWER} bytes", "aggregate: a series per counting process")
        return answer.status, body

    def _path(self) -> str:
        return f"{self._url.path.rstrip('/')}/api/v1/query"

    def _parse(self, body: bytes, what: str) -> tuple[Sample, ...]:
        try:
            answer = json.loads(body)
            data = answer["data"]
            if answer["status"] != "success" or data["resultType"] != "vector":
                raise _garbled(what, f"{answer['status']}, {data['resultType']}", "let the query give a vector")
            return tuple(_read_sample(one) for one in data["result"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise _garbled(what, self._quote(body), f"look at what answers at {self.address}") from error

    def _quote_error(self, body: bytes) -> str:
        try:
            words = json.loads(body)["error"]
        except (ValueError, KeyError, TypeError):
            return self._quote(body)
        return self._quote(str(words).encode(errors="replace"))

    def _quote(self, body: bytes) -> str:
        """The beginning of an answer, even of one that repeats the token."""
        text = body.decode(errors="replace")
        return ascii((text.replace(self._token, "(the token)") if self._token else text)[:_LONGEST_QUOTE])

    def _silent(self, what: str, found: str) -> PrometheusSilentError:
        return PrometheusSilentError(
            f"Prometheus at {self.address} does not answer the query {what}",
            expected=f"an answer within {_TIMEOUT_SECONDS:g} s",
            found=found,
            next_step="see whether it runs and can be reached from here",
        )


_NAME_IT = "name the variable with a token in `token_variable` of the section `prometheus`"


def _split(url: str) -> SplitResult:
    """Raises `InputError` for what is no address, without repeating what may be secret."""
    try:
        parts = urlsplit(url)
        known = parts.scheme in {"http", "https"} and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        known, parts = None, SplitResult("", "", "", "", "")
    if not known or "@" in parts.netloc or parts.query or parts.fragment:
        raise InputError(
            "the address of Prometheus cannot be used",
            expected="http(s)://host[:port][/path], and a token by `token_variable`",
            found="a user or password in it" if "@" in parts.netloc else "another form",
            next_step="correct `url` in the section `prometheus` of the environment",
        )
    return parts


def _read_sample(one: Any) -> Sample:
    at, text = one["value"]
    labels = one["metric"]
    if not all(isinstance(part, str) for part in (text, *labels, *labels.values())):
        raise TypeError
    return Sample(labels, float(text), float(at))


def _garbled(what: str, found: str, next_step: str) -> TargetError:
    return TargetError(
        f"the answer to the query {what} cannot be used",
        expected="an instant vector as the API of Prometheus gives it",
        found=found,
        next_step=next_step,
    )
