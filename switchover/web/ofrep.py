"""OFREP: any OpenFeature SDK, in a browser or another language, asks the flags over HTTP.

`POST /ofrep/v1/evaluate/flags/{key}` for one flag, `POST /ofrep/v1/evaluate/flags` for all of them (with ETag and
`If-None-Match`), as in the protocol's OpenAPI document; `GET /healthz` says how the flag set is.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from switchover.flags.client import Client
from switchover.flags.resolution import ErrorCode
from switchover.web.ofrep_answers import answer_all, answer_one, describe_failure, respond
from switchover.web.ofrep_questions import RefusedError, read_context
from switchover.web.tokens import TokenGate

Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]

BODY_LIMIT_BYTES: Final = 64 * 1024
FLAGS_PATH: Final = "/ofrep/v1/evaluate/flags"

_SERVING: Final = frozenset({"READY", "STALE"})
_REMEMBER_PREFLIGHT_SECONDS: Final = 600


def ofrep_app(
    client: Client, tokens: Sequence[str], *, origins: Sequence[str] = (), body_limit_bytes: int = BODY_LIMIT_BYTES
) -> Starlette:
    """The service on this client's flags.

    Each request but `/healthz` states one of `tokens`; with none at all everybody may ask. Pages of `origins`
    (`https://shop.example`) may read the answers, and no others. Raises `InputError` for a token that is too short.
    """
    cross_origin = Middleware(
        CORSMiddleware,
        allow_origins=list(origins),
        allow_methods=["POST"],
        allow_headers=["Authorization", "Content-Type", "If-None-Match", "X-API-Key"],
        expose_headers=["ETag"],
        max_age=_REMEMBER_PREFLIGHT_SECONDS,
    )
    app = Starlette(
        routes=[
            Route(FLAGS_PATH, _evaluate_all(client, body_limit_bytes), methods=["POST"]),
            Route(FLAGS_PATH + "/{key:path}", _evaluate_one(client, body_limit_bytes), methods=["POST"]),
            Route("/healthz", _report_health(client), methods=["GET"]),
        ],
        middleware=[cross_origin, *([Middleware(TokenGate, tokens=tuple(tokens))] if tokens else [])],
        exception_handlers={RefusedError: _refuse, HTTPException: _refuse_route, Exception: _fail},
    )
    # A redirect would show where there is something.
    app.router.redirect_slashes = False
    # Starlette puts the parts together at the first request; a token that cannot be used is to be refused now.
    app.middleware_stack = app.build_middleware_stack()
    return app


def _evaluate_one(client: Client, limit_bytes: int) -> Endpoint:
    async def evaluate(request: Request) -> Response:
        context = await read_context(request, limit_bytes)
        return answer_one(client.resolve(request.path_params["key"], context))

    return evaluate


def _evaluate_all(client: Client, limit_bytes: int) -> Endpoint:
    async def evaluate(request: Request) -> Response:
        context = await read_context(request, limit_bytes)
        if client.status.state not in _SERVING:
            return respond(503, describe_failure("no flag set has arrived yet", ErrorCode.PROVIDER_NOT_READY))
        known_tags = ",".join(request.headers.getlist("if-none-match"))
        return answer_all(client.resolve_all(context), client.metadata, known_tags)

    return evaluate


def _report_health(client: Client) -> Endpoint:
    async def report(_: Request) -> Response:
        status = client.status
        body = {
            "state": str(status.state),
            "version": status.version,
            "age_seconds": round(status.age_seconds, 3),
            "flags": status.flags,
        }
        return respond(200 if status.state in _SERVING else 503, json.dumps(body).encode())

    return report


async def _refuse(request: Request, error: Exception) -> Response:
    if not isinstance(error, RefusedError):
        raise error
    # The rest of a body that was refused is not waited for.
    headers = {"Connection": "close"} if error.status in {408, 413} else None
    return respond(error.status, describe_failure(error.details, error.code, request.path_params.get("key")), headers)


async def _refuse_route(_: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    return respond(error.status_code, describe_failure(error.detail.lower()), error.headers)


async def _fail(_: Request, __: Exception) -> Response:
    """A defect of ours: its traceback goes to the server's log, nothing of it to who asked."""
    return respond(500, describe_failure("the service failed"))
