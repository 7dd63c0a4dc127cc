"""What somebody asks by OFREP: the body is read up to a limit and checked before any flag sees it."""

from __future__ import annotations

import asyncio
import json
from typing import Final, Never

from starlette.requests import ClientDisconnect, Request

from switchover.flags.context import TARGETING_KEY, Context
from switchover.flags.resolution import ErrorCode

DEEPEST: Final = 32
SLOWEST_BODY_SECONDS: Final = 10.0


class RefusedError(Exception):
    """A request that no flag is asked about. Reaction: answer with this status."""

    def __init__(self, status: int, details: str, code: ErrorCode = ErrorCode.PARSE_ERROR) -> None:
        self.status = status
        self.details = details
        self.code = code
        super().__init__(details)


async def read_context(request: Request, limit_bytes: int) -> Context:
    """The context that the body names. Raises `RefusedError`."""
    media_type = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise RefusedError(415, "the content type must be application/json")
    return parse_context(await _read_body(request, limit_bytes))


def parse_context(body: bytes) -> Context:
    """The context in `{"context": {"targetingKey": text, …}}`; an empty body names nobody. Raises `RefusedError`."""
    question = _parse(body) if body.strip() else {}
    if not isinstance(question, dict):
        raise RefusedError(400, "the body must be a JSON object")
    context = question.get("context", {})
    if not isinstance(context, dict):
        raise RefusedError(400, "the context must be a JSON object", ErrorCode.INVALID_CONTEXT)
    attributes = dict(context)
    targeting_key = attributes.pop(TARGETING_KEY, None)
    if targeting_key is not None and not isinstance(targeting_key, str):
        raise RefusedError(400, f"the {TARGETING_KEY} must be a text", ErrorCode.INVALID_CONTEXT)
    return Context(targeting_key, attributes)


async def _read_body(request: Request, limit_bytes: int) -> bytes:
    stated = request.headers.get("content-length", "")
    if stated.isdecimal() and int(stated[:20]) > limit_bytes:
        _refuse_size(limit_bytes)
    body = bytearray()
    try:
        async with asyncio.timeout(SLOWEST_BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limit_bytes:
                    _refuse_size(limit_bytes)
    except TimeoutError:
        raise RefusedError(408, "the body did not arrive in time") from None
    except ClientDisconnect:
        raise RefusedError(400, "the body did not arrive whole") from None
    return bytes(body)


def _refuse_size(limit_bytes: int) -> Never:
    raise RefusedError(413, f"the body must not be larger than {limit_bytes} bytes")


def _parse(body: bytes) -> object:
    try:
        question: object = json.loads(body.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise RefusedError(400, "the body must be JSON in UTF-8") from None
    if _is_deeper(question, DEEPEST):
        raise RefusedError(400, f"the body must not be nested deeper than {DEEPEST} levels")
    return question


def _refuse_constant(name: str) -> Never:
    raise ValueError(name)


def _is_deeper(value: object, levels: int) -> bool:
    """Level by level, so that the depth of the check is none."""
    layer = [value]
    for _ in range(levels):
        layer = [
            member
            for each in layer
            if isinstance(each, dict | list)
            for member in (each.values() if isinstance(each, dict) else each)
        ]
        if not layer:
            return False
    return any(isinstance(each, dict | list) for each in layer)
