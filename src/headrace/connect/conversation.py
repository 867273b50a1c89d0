"""Sending a request signed in: the scheme says what to send, the transport sends it."""

import asyncio

from headrace.connect.auth.scheme import Scheme, TokenSource, TokenWanted
from headrace.connect.auth.token import Token
from headrace.connect.transport import NotSent, Transport
from headrace.errors import AccountError
from headrace.model.http import Request, Response

#: More than any scheme needs: a renewal, and the request before and after it. A loop ends here.
_MOST_REQUESTS = 8


async def converse(
    scheme: Scheme,
    request: Request,
    transport: Transport,
    *,
    deadline: float,
    pool: str,
    tokens: TokenSource | None = None,
) -> Response:
    """
    Hold the scheme's conversation with the partner and return the last answer.

    ``deadline`` is in seconds and covers all of it. An error of the transport ends the conversation and is raised as it
    is, for what is known about the request is what the transport says.

    Raises:
        AccountError: the scheme does not come to an end, or there is no token.
        PartnerError: the transport failed, or the partner gives no token.
    """
    now = asyncio.get_running_loop().time
    ends = now() + deadline
    flow = scheme.auth_flow(request)
    answer: Response | Token
    last: Response | None = None
    try:
        wanted = next(flow)
        for _ in range(_MOST_REQUESTS):
            if isinstance(wanted, TokenWanted):
                answer = await _token(tokens, wanted, ends - now())
            else:
                answer = last = await transport.send(wanted, deadline=ends - now(), pool=pool)
            try:
                wanted = flow.send(answer)
            except StopIteration:
                assert last is not None, "a conversation has an answer of the partner"
                return last
    finally:
        flow.close()
    raise AccountError(f"Signing in was not done after {_MOST_REQUESTS} requests.")


async def _token(tokens: TokenSource | None, wanted: TokenWanted, within: float) -> Token:
    if tokens is None:
        raise AccountError("This way of signing in needs a token, and nothing here gives one.")
    try:
        async with asyncio.timeout(within):
            return await tokens.token(wanted.refused)
    except TimeoutError:
        raise NotSent("The partner gave no access token in time.") from None
