"""A name, a small protocol, a file: how everything that has alternatives is found by its published name."""

from collections.abc import Callable, Iterator
from difflib import get_close_matches
from typing import Generic, TypeVar

from headrace.errors import AuthoringError

Entry = TypeVar("Entry")


class Registry(Generic[Entry]):
    """
    What is supported under one noun, by the name people write in a configuration.

    >>> greetings: Registry[str] = Registry("greeting")
    >>> greetings.register("HELLO")("hello there")
    'hello there'
    >>> greetings.get("HELLO")
    'hello there'
    """

    def __init__(self, noun: str) -> None:
        self.noun = noun
        self._entries: dict[str, Entry] = {}

    def register(self, name: str) -> Callable[[Entry], Entry]:
        """Put the decorated class or function under ``name``; a name is given once."""

        def put(entry: Entry) -> Entry:
            if name in self._entries:
                raise ValueError(f"{name!r} is registered twice as a {self.noun}")
            self._entries[name] = entry
            return entry

        return put

    def get(self, name: str) -> Entry:
        """
        Return what is registered under ``name``.

        Raises:
            AuthoringError: nothing is; the message lists what there is, the nearest name first.
        """
        try:
            return self._entries[name]
        except KeyError:
            near = get_close_matches(name, self._entries, n=1)
            others = [known for known in sorted(self._entries) if known not in near]
            raise AuthoringError(f"{name!r} is not a {self.noun}; these are: {', '.join([*near, *others])}") from None

    def names(self) -> list[str]:
        """List the registered names in alphabetical order."""
        return sorted(self._entries)

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())
