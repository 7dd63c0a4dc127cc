"""Runs the payments: `PORT=8002 python3 -m payments`."""

from __future__ import annotations

import sys
from http import HTTPStatus
from pathlib import Path

from acme_web.messages import RefusedRequestError, Request, Response, as_json, plain
from acme_web.service import run

from payments.till import AmountChangedError, Till

TILL = Till()


async def charge(request: Request) -> Response:
    """Take a payment: `{"order": "…", "cents": 1290}`."""
    document = request.json()
    match document:
        case {"order": str(order), "cents": int(cents)} if order and cents > 0 and not isinstance(cents, bool):
            pass
        case _:
            raise RefusedRequestError(HTTPStatus.UNPROCESSABLE_ENTITY)
    try:
        return as_json({"order": order, "paid_cents": TILL.charge(order, cents)})
    except AmountChangedError as error:
        return plain(f"{error}\n", HTTPStatus.CONFLICT)


sys.exit(run(Path(__file__).resolve().parent.parent, {"/charge": {"POST": charge}}))
