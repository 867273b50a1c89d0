"""What was not reached, for whoever runs Headrace: everybody else is told the same words whatever the reason."""

import socket
from collections.abc import Sequence

from headrace.connect.egress import Egress
from headrace.connect.transport import NotReached
from headrace.connect.url import Target, parse_url
from headrace.errors import HeadraceError, TargetBlocked


class NotedEgress(Egress):
    """Another egress, which keeps in mind the newest reason for each target that it did not reach."""

    def __init__(self, egress: Egress) -> None:
        self._egress = egress
        self.failures: dict[str, HeadraceError] = {}

    def admit(self, url: str, *, schemes: Sequence[str] = ("https", "http")) -> Target:
        """See ``Egress``."""
        try:
            return self._egress.admit(url, schemes=schemes)
        except TargetBlocked as error:
            self._note(parse_url(url, schemes=schemes), error)
            raise

    async def dial(self, target: Target, *, within: float | None = None) -> socket.socket:
        """See ``Egress``."""
        try:
            return await self._egress.dial(target, within=within)
        except (TargetBlocked, NotReached) as error:
            self._note(target, error)
            raise

    def _note(self, target: Target, error: HeadraceError) -> None:
        self.failures[f"{target.scheme}://{target.host}:{target.port}"] = error
