"""What OFREP says about an answer: the JSON of its OpenAPI document, and which HTTP status."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Final

from starlette.responses import Response

from switchover.flags.resolution import CALLERS_DEFAULT, ErrorCode, Metadata, Reason, Resolution

# What a rule or a definition looks like is the operators' business: those who ask learn only this.
_DETAILS: Final[Mapping[ErrorCode, str]] = {
    ErrorCode.FLAG_NOT_FOUND: "there is no such flag",
    ErrorCode.PROVIDER_NOT_READY: "no flag set has arrived yet",
    ErrorCode.PARSE_ERROR: "the flag's definition is broken",
    ErrorCode.TYPE_MISMATCH: "the flag's value is not of its type",
    ErrorCode.TARGETING_KEY_MISSING: "the flag needs a targetingKey",
    ErrorCode.INVALID_CONTEXT: "the flag cannot use this context",
    ErrorCode.GENERAL: "the flag cannot be evaluated",
}
_STATUSES: Final[Mapping[ErrorCode, int]] = {ErrorCode.FLAG_NOT_FOUND: 404, ErrorCode.PROVIDER_NOT_READY: 503}
# Clients look the reason up among OpenFeature's, and some fail on another word.
_FOREIGN_REASONS: Final = frozenset({Reason.PREREQUISITE_FAILED})
_OURS: Final = "switchover."


def describe(resolution: Resolution) -> dict[str, object]:
    """A success or a failure of OFREP.

    `value` is left out where the caller's default stands (`variant` is then empty, since clients read it
    unasked). The operators' own metadata (`switchover.owner` …) stay here.
    """
    if resolution.error_code is not None:
        return describe_error(resolution.flag, resolution.error_code)
    metadata = _publish(resolution.metadata)
    reason = resolution.reason.value
    if resolution.reason in _FOREIGN_REASONS:
        reason, metadata = "UNKNOWN", {**metadata, "switchover.reason": reason}
    described: dict[str, object] = {
        "key": resolution.flag,
        "reason": reason,
        "variant": resolution.variant or "",
        "metadata": metadata,
    }
    if resolution.value is not CALLERS_DEFAULT:
        described["value"] = resolution.value
    return described


def describe_error(key: str, code: ErrorCode) -> dict[str, object]:
    """Why one flag has no value."""
    return {"key": key, "errorCode": code.value, "errorDetails": _DETAILS[code]}


def describe_failure(details: str, code: ErrorCode | None = None, key: str | None = None) -> bytes:
    """Why a whole request has no answer."""
    parts = {"key": key, "errorCode": None if code is None else code.value, "errorDetails": details}
    return _encode({name: part for name, part in parts.items() if part is not None})


def answer_one(resolution: Resolution) -> Response:
    """The response to a question about one flag."""
    code = resolution.error_code
    if code is None:
        return respond(200, _encode_flag(describe(resolution)))
    return respond(_STATUSES.get(code, 400), _encode(describe_error(resolution.flag, code)))


def answer_all(resolutions: Iterable[Resolution], metadata: Metadata, known_tags: str) -> Response:
    """The response about all flags, or 304 when `known_tags` (an `If-None-Match`) has its tag.

    The tag is that of the answers themselves: a new version of the set that changes nothing for this context keeps
    it, and a rule that looks at the time cannot hide behind it.
    """
    flags = b",".join(_encode_flag(describe(resolution)) for resolution in resolutions)
    body = b'{"flags":[' + flags + b'],"metadata":' + _encode(_publish(metadata)) + b"}"
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    known = {each.strip().removeprefix("W/") for each in known_tags.split(",")}
    return Response(status_code=304, headers=headers) if known & {tag, "*"} else respond(200, body, headers)


def respond(status: int, body: bytes, headers: Mapping[str, str] | None = None) -> Response:
    """A response of JSON."""
    return Response(body, status, headers, media_type="application/json")


def _encode_flag(described: Mapping[str, object]) -> bytes:
    try:
        return _encode(described)
    except (ValueError, TypeError, RecursionError):
        # A set that nobody checked may hold what JSON cannot say (NaN).
        return _encode(describe_error(str(described["key"]), ErrorCode.PARSE_ERROR))


def _encode(value: object) -> bytes:
    """ASCII, so that half a surrogate pair in a text does no harm."""
    return json.dumps(value, allow_nan=False, separators=(",", ":")).encode("ascii")


def _publish(metadata: Metadata) -> dict[str, bool | int | float | str]:
    return {name: value for name, value in metadata.items() if not name.startswith(_OURS)}
