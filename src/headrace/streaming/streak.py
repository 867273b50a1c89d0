"""Refusals in a row: when everything that a dataflow sends is refused, it is better held than parked by the million."""


class Streak:
    """
    How many messages in a row were refused whole, in the order in which their groups were claimed.

    A group that cannot be rendered is settled long before one that travels; counted as they settle, such groups would
    look like a partner that takes nothing.

    >>> streak = Streak()
    >>> streak.claimed(1), streak.claimed(2)
    (None, None)
    >>> streak.settled(2, refused=True), streak.settled(1, refused=False)
    (0, 1)
    """

    def __init__(self) -> None:
        self._claimed: dict[int, bool | None] = {}
        self._length = 0

    def claimed(self, number: int) -> None:
        """Note that a group was claimed, for the first time or again."""
        self._claimed.pop(number, None)
        self._claimed[number] = None

    def settled(self, number: int, *, refused: bool) -> int:
        """Note what became of a group, and return the length of the streak up to the first that is under way."""
        self._claimed[number] = refused
        while self._claimed:
            first = next(iter(self._claimed))
            was_refused = self._claimed[first]
            if was_refused is None:
                break
            del self._claimed[first]
            self._length = self._length + 1 if was_refused else 0
        return self._length

    def left(self, number: int) -> None:
        """Forget a group whose message was split: its parts are counted."""
        self._claimed.pop(number, None)

    def begin_again(self) -> None:
        """Forget the streak, for the dataflow was held or mended."""
        self._length = 0
