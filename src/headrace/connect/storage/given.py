"""What was given to open a storage: texts of the author's block and of the account, by any of their names."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from headrace.errors import AccountError, AuthoringError

ADDITIONS = "x-headrace"


@dataclass(frozen=True, slots=True)
class Given:
    """The two, with a sentence for what is missing."""

    _place: Mapping[str, Any]
    _auth: Mapping[str, Any]

    def place(self, *names: str, missing: str | None = None) -> str:
        """
        Return what the author wrote.

        Raises:
            AuthoringError: nothing, and there is nothing to take instead.
        """
        found = _first(self._place, names) or missing
        if found is None:
            raise AuthoringError(f"`{names[0]}` of the storage comes to nothing.")
        return found

    def addition(self, name: str) -> str:
        """Return an addition of ours, or nothing."""
        return _first(self._place.get(ADDITIONS) or {}, (name,))

    def credential(self, *names: str, missing: str | None = None) -> str:
        """
        Return what the operator entered.

        Raises:
            AccountError: nothing, and there is nothing to take instead.
        """
        found = _first(self._auth, names) or missing
        if found is None:
            raise AccountError(f"`{names[0]}` of the account is missing; enter it.")
        return found


def _first(values: Mapping[str, Any], names: tuple[str, ...]) -> str:
    return next((text for name in names if (text := str(values.get(name) or "").strip())), "")
