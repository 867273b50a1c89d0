"""
Where a template prints into JSON without the escaping that JSON needs.

The texts of the template tell whether a value lands inside of a JSON string or outside of them. Where the ways to a
place disagree, nothing is said about it.
"""

from enum import Enum, auto

from headrace.template import nodes
from headrace.template.reading import Note, Reading, start_of
from headrace.template.shape import Kind, Shape

WAYS_INSIDE = (
    'give the template `x-headrace: {"escaping": "json"}`, end the expression with `| escape("json")`, '
    "or print `{{ value | toJson }}` without the quotes around it"
)
HARMS = {
    "html": "html escaping changes `&`, `<`, `>` and quotes, and leaves `\\` and line breaks, which JSON refuses",
    "none": "nothing escapes it, so a quote, `\\` or line break in it breaks the JSON",
    "js": "JavaScript's escapes are not all JSON's",
    "css": "CSS escapes are not JSON's",
}
PLAIN_FILTERS = frozenset({"base64encode", "date", "numberformat", "sha256", "urlencode"})
SPECIAL = {"html": frozenset("&<>\"'\\\n\r\t"), "json": frozenset('"&\\\n\r\t'), "none": frozenset('"\\\n\r\t')}


class Place(Enum):
    """Where the text stands."""

    OUTSIDE = auto()
    INSIDE = auto()
    UNKNOWN = auto()


class Places:
    """For every printed expression and every loop, whether it stands inside of a JSON string."""

    def __init__(self, body: nodes.Body) -> None:
        self.of: dict[int, Place] = {}
        self._seen: list[int] = []
        self._body(body, Place.OUTSIDE)

    def _body(self, body: nodes.Body, place: Place) -> Place:
        for statement in body:
            if isinstance(statement, nodes.Text):
                place = after_text(statement.value, place)
            elif isinstance(statement, nodes.Output):
                self._put(statement, place)
            elif isinstance(statement, nodes.If):
                branches = [*(branch for _, branch in statement.branches), statement.otherwise]
                ends = {self._body(branch, place) for branch in branches}
                place = ends.pop() if len(ends) == 1 else Place.UNKNOWN
            elif isinstance(statement, nodes.For):
                place = self._loop(statement, place)
            elif isinstance(statement, nodes.FilterBlock):
                self._body(statement.body, Place.UNKNOWN)
        return place

    def _loop(self, statement: nodes.For, place: Place) -> Place:
        self._put(statement, place)
        before = len(self._seen)
        end = self._body(statement.body, place)
        if end is not place:
            self.of |= dict.fromkeys(self._seen[before:], Place.UNKNOWN)
        other = self._body(statement.otherwise, place)
        return place if end is place and other is place else Place.UNKNOWN

    def _put(self, statement: nodes.Output | nodes.For, place: Place) -> None:
        self.of[id(statement)] = place
        self._seen.append(id(statement))


def after_text(text: str, place: Place) -> Place:
    """
    Where one stands after a text.

    >>> after_text('{"name": "', Place.OUTSIDE), after_text('", "n": ', Place.INSIDE)
    (<Place.INSIDE: 2>, <Place.OUTSIDE: 1>)
    """
    if place is Place.UNKNOWN:
        return place
    inside, position = place is Place.INSIDE, 0
    while position < len(text):
        following = text[position]
        if following == '"':
            inside = not inside
        position += 2 if inside and following == "\\" else 1
    return Place.INSIDE if inside else Place.OUTSIDE


class Quoting:
    """Judges what is printed into JSON."""

    def __init__(self, reading: Reading, places: Places, escaping: str, note: Note) -> None:
        self.reading = reading
        self.places = places
        self.escaping = escaping
        self.note = note

    def body(self, body: nodes.Body) -> None:
        """Judge all that these statements print."""
        for statement in body:
            if isinstance(statement, nodes.Output):
                self._output(statement)
            elif isinstance(statement, nodes.If):
                for _, branch in statement.branches:
                    self.body(branch)
                self.body(statement.otherwise)
            elif isinstance(statement, nodes.For):
                self.body(statement.body)
                self.body(statement.otherwise)

    def _output(self, statement: nodes.Output) -> None:
        place = self.places.of[id(statement)]
        if place is Place.UNKNOWN:
            return
        judge = self._inside if place is Place.INSIDE else self._outside
        for node in branches_of(statement.value):
            if not self._is_plain(node):
                judge(node)

    def _is_plain(self, node: nodes.Expression) -> bool:
        """Whether it prints what no escaping changes, and what JSON takes."""
        shape = self._shape(node)
        if isinstance(node, nodes.Literal) or shape.kind in (Kind.NUMBER, Kind.BOOLEAN, Kind.NULL):
            return True
        strategy = self._strategy(node)
        return shape.texts is not None and not any(SPECIAL.get(strategy, frozenset()) & set(t) for t in shape.texts)

    def _inside(self, node: nodes.Expression) -> None:
        if ends_in(node, "toJson"):
            self.note(start_of(node), "json-quotes", "`toJson` prints its own quotes: take away those around it")
            return
        strategy = self._strategy(node)
        harmless = isinstance(node, nodes.Filter) and node.name in PLAIN_FILTERS
        if strategy in HARMS and not harmless and self._shape(node).kind is not Kind.WORD:
            self.note(
                start_of(node),
                "json-escaping",
                f"this is printed into a JSON string, but {HARMS[strategy]}; {WAYS_INSIDE}",
            )

    def _outside(self, node: nodes.Expression) -> None:
        if ends_in(node, "toJson") or self._strategy(node) == "none":
            return
        if self._shape(node).kind in (Kind.RECORD, Kind.TABLE, Kind.LIST):
            message = f"this prints a whole map or list, and {self.escaping} escaping changes its quotes"
        else:
            message = "this is printed into JSON without quotes: a text is not JSON then, and null prints nothing"
        self.note(start_of(node), "json-bare-value", f"{message}; print it with `| toJson`")

    def _strategy(self, node: nodes.Expression) -> str:
        if not isinstance(node, nodes.Filter) or node.name not in ("raw", "escape"):
            return self.escaping
        if node.name == "raw":
            return "none"
        given = node.arguments[0] if node.arguments else nodes.Literal(0, 1, "html")
        return str(given.value) if isinstance(given, nodes.Literal) else "json"

    def _shape(self, node: nodes.Expression) -> Shape:
        return self.reading.printed[id(node)]


def branches_of(node: nodes.Expression) -> list[nodes.Expression]:
    """An expression, or those that it chooses between."""
    if isinstance(node, nodes.Conditional):
        return [*branches_of(node.yes), *branches_of(node.no)]
    return [node]


def ends_in(node: nodes.Expression, name: str) -> bool:
    """Whether this is the last filter; ``raw`` behind it changes nothing."""
    if isinstance(node, nodes.Filter) and node.name == "raw":
        node = node.value
    return isinstance(node, nodes.Filter) and node.name == name
