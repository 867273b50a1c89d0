"""
The values a template works with.

Plain JSON data comes in: dict, list, str, int, float, bool and None. A template makes a few kinds of its own, each a
light subclass or a slotted class, so that one look at ``type(value)`` tells them apart from the data of a profile.
Nothing else exists here: there is no way from a template to an object of the host language.
"""

from collections.abc import Iterator


class RenderError(Exception):
    """What went wrong while rendering, without the place: the template adds that from its line table."""

    def __init__(self, message: str, *, limit: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.limit = limit


class TemplateList(list[object]):
    """A list made in the template; prints as ``[1, 2]`` where a list of the profile prints as JSON."""

    __slots__ = ()


class TemplateMap(dict[object, object]):
    """A map made in the template; prints as ``{a=1}`` where an object of the profile prints as JSON."""

    __slots__ = ()


class Marked(str):
    """A text that is not a plain string: it equals only its own kind and is no condition."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and str.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = str.__hash__


class Safe(Marked):
    """A text that escaping leaves alone: what ``raw``, ``escape``, ``date`` and ``toJson`` give."""

    __slots__ = ()


class Character(Marked):
    """What ``first`` and ``last`` take out of a string. It prints like one and never equals one."""

    __slots__ = ()


class Entry:
    """One entry of a map that is iterated; ``namespace`` is set where entries of several maps were put together."""

    __slots__ = ("key", "namespace", "value")

    def __init__(self, key: object, value: object, namespace: object = None) -> None:
        self.key = key
        self.value = value
        self.namespace = namespace

    def __eq__(self, other: object) -> bool:
        return type(other) is Entry and (self.key, self.value) == (other.key, other.value)

    __hash__ = None  # type: ignore[assignment]

    def as_map(self) -> dict[str, object]:
        """The entry as JSON shows it."""
        shown = {"key": self.key, "value": self.value}
        return shown if self.namespace is None else {**shown, "namespace": self.namespace}


class Unset:
    """Marks a name that its scope does not hold, which is not the same as holding null."""

    __slots__ = ()


UNSET = Unset()


def java_form(value: object) -> object:
    """The same data as if the template had made it; what the operator entered prints that way."""
    if type(value) is dict:
        return TemplateMap({key: java_form(item) for key, item in value.items()})
    if type(value) is list:
        return TemplateList([java_form(item) for item in value])
    return value


def entries(mapping: dict[object, object]) -> Iterator[Entry]:
    """The entries of a map in its order."""
    return (Entry(key, value) for key, value in mapping.items())


KIND_NAMES: dict[type, str] = {
    str: "a string",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    list: "a list",
    TemplateList: "a list",
    dict: "a map",
    TemplateMap: "a map",
    Entry: "a map entry",
    Safe: "a string marked safe",
    Character: "a single character",
    type(None): "null",
}


def kind_name(value: object) -> str:
    """How a message calls this kind of value. Messages name kinds, never values, for values are people's data."""
    return KIND_NAMES.get(type(value), "not plain data")
