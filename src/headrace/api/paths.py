"""Paths as clients write them: with a slash at the end; and queries with what no value has."""

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from headrace.api import problems


class LenientPaths:
    """
    Serves a path with a slash at its end as the one without: some clients write it so, and do not follow redirects.

    A query that names something by the character U+0000 is refused here for all: the store could not even be asked.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if b"%00" in scope["query_string"]:
            refused = problems.BadRequestError("the query has the character U+0000: no value here has it")
            await (await problems.ours(Request(scope), refused))(scope, receive, send)
            return
        path: str = scope["path"]
        if len(path) > 1 and path.endswith("/"):
            scope = {**scope, "path": path.rstrip("/") or "/"}
        await self._app(scope, receive, send)
