"""Load: how many entries are under way for each account, so that large groups take a bounded share of memory."""

from collections import Counter

from headrace.model.message import Group

#: Entries of one account that may be under way, in memory with all that is known of the people.
MOST_UNDER_WAY = 30_000


class Load:
    """The entries under way. A group counts from its claim until it is settled or lost."""

    def __init__(self, most: int = MOST_UNDER_WAY) -> None:
        self._most = most
        self._entries: Counter[str] = Counter()
        self._groups: dict[int, tuple[str, int]] = {}

    def room(self, account: str, each: int) -> int:
        """Return how many groups of so many entries may be taken for an account; one where nothing is under way."""
        under_way = self._entries[account]
        return max((self._most - under_way) // each, 0 if under_way else 1)

    def take(self, account: str, group: Group) -> None:
        """Count a group that was claimed."""
        self.give_back(group.number)
        self._groups[group.number] = account, len(group.entries)
        self._entries[account] += len(group.entries)

    def give_back(self, number: int) -> None:
        """Count a group no longer, if it was."""
        account, entries = self._groups.pop(number, ("", 0))
        self._entries[account] -= entries
        if not self._entries[account]:
            del self._entries[account]
