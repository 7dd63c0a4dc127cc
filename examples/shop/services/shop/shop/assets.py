"""The JavaScript of the packages, as the browser loads it."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path

from acme_web.messages import Request, Response, plain
from acme_web.routes import Handler

CONTENT_TYPE = "text/javascript; charset=utf-8"


def serve_assets(folder: Path) -> Handler:
    """A handler for the files in `folder`, which are read once. Nothing outside it can be asked for."""
    answers = {
        f"/assets/{path.relative_to(folder).as_posix()}": Response(path.read_bytes(), content_type=CONTENT_TYPE)
        for path in folder.rglob("*.js")
    }

    async def answer_asset(request: Request) -> Response:
        return answers.get(request.path) or plain("There is no such file.\n", HTTPStatus.NOT_FOUND)

    return answer_asset
