"""Which handler answers which request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus

from acme_web.messages import Request, Response, plain

Handler = Callable[[Request], Awaitable[Response]]


class Routes:
    """Handlers by path and method. A path that ends in `/*` stands for everything below it."""

    def __init__(self, handlers: dict[str, dict[str, Handler]]) -> None:
        self._exact = {path: methods for path, methods in handlers.items() if not path.endswith("/*")}
        self._below = {path[:-1]: methods for path, methods in handlers.items() if path.endswith("/*")}

    async def answer(self, request: Request) -> Response:
        """Let the handler answer; 404 for an unknown path, 405 for a method that the path does not have."""
        methods = self._find(request.path)
        if methods is None:
            return plain("There is nothing here.\n", HTTPStatus.NOT_FOUND)
        handler = methods.get("GET" if request.method == "HEAD" else request.method)
        if handler is None:
            return Response(
                b"This is not done here.\n", HTTPStatus.METHOD_NOT_ALLOWED, headers={"allow": ", ".join(methods)}
            )
        return await handler(request)

    def _find(self, path: str) -> dict[str, Handler] | None:
        exact = self._exact.get(path)
        if exact is not None:
            return exact
        return next((methods for prefix, methods in self._below.items() if path.startswith(prefix)), None)
