"""Do not sign in."""

from headrace.connect.auth.scheme import Flow, Params, schemes
from headrace.model.http import Request


@schemes.register("NONE")
class Unsigned:
    """For partners that ask for no account, or that take what the destination's own headers say."""

    def __init__(self, params: Params) -> None:
        del params

    def auth_flow(self, request: Request) -> Flow:
        """Send the request as it is."""
        yield request
