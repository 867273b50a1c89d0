"""Paths as clients write them: with a slash at the end, or with what no path of ours has."""

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from headrace.api import problems
from headrace.errors import NotFound


class LenientPaths:
    """
    Serves a path with a slash at its end as the one without: some clients write it so, and do not follow redirects.

    A path or a query with a NUL in it is refused here, for all: the store could not even be asked.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path: str = scope["path"]
        if "\0" in path or b"%00" in scope["query_string"]:
            refused = NotFound("nothing is here, whatever the path") if "\0" in path else _nul_in_query()
            await (await problems.ours(Request(scope), refused))(scope, receive, send)
            return
        if len(path) > 1 and path.endswith("/"):
            scope = {**scope, "path": path.rstrip("/") or "/"}
        await self._app(scope, receive, send)


def _nul_in_query() -> problems.BadRequestError:
    return problems.BadRequestError("the query holds a NUL: no value here has one")
