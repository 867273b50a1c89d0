"""Sending a request signed in: the scheme says what to send, the transport sends it."""

import asyncio

from headrace.connect.auth.scheme import Scheme
from headrace.connect.transport import Transport
from headrace.errors import AccountError
from headrace.model.http import Request, Response

#: More than any scheme needs: a renewal, and the request before and after it. A loop ends here.
_MOST_REQUESTS = 8


async def converse(scheme: Scheme, request: Request, transport: Transport, *, deadline: float, pool: str) -> Response:
    """
    Hold the scheme's conversation with the partner and return the last answer.

    ``deadline`` is in seconds and covers all of it. An error of the transport ends the conversation and is raised as it
    is, for what is known about the request is what the transport says.

    Raises:
        AccountError: the scheme does not come to an end.
    """
    now = asyncio.get_running_loop().time
    ends = now() + deadline
    flow = scheme.auth_flow(request)
    try:
        wanted = next(flow)
        for _ in range(_MOST_REQUESTS):
            response = await transport.send(wanted, deadline=ends - now(), pool=pool)
            try:
                wanted = flow.send(response)
            except StopIteration:
                return response
    finally:
        flow.close()
    raise AccountError(f"Signing in was not done after {_MOST_REQUESTS} requests.")
