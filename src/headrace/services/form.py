"""
The form: what operators enter for a destination, held against the fields that its author declared, and completed.

A field is *shown* unless its condition is false; what is not shown has no value. Values sent for it are dropped and not
refused: a client keeps what stood in `csvOptions` when its operator turns from CSV to JSON, and sends the whole form. A
field that is hidden or cannot be changed is *fixed*: its value is the default, and another one is refused, for whoever
sends it believes that it counts.
"""

from collections import ChainMap
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from headrace.connect.secrets import MASK
from headrace.model.block import pointer
from headrace.model.customer_data import CustomerDataField, DynamicOptions
from headrace.model.pattern import is_match
from headrace.model.problem import Problem

Fields = Sequence[CustomerDataField]
Values = dict[str, Any]
Path = tuple[str, ...]
#: The values that can be chosen, as texts, by the pointer of a field whose choices were fetched.
Choices = Mapping[str, Sequence[str]]

_NOTHING = (None, "")


@dataclass(frozen=True, slots=True)
class Asked:
    """A field whose choices the partner knows: its pointer, its value, and those of the fields that the call needs."""

    pointer: str
    options: DynamicOptions
    value: Any
    query: Mapping[str, Any]

    @property
    def unanswered(self) -> list[str]:
        """The fields that must be filled in before the partner can be asked."""
        return [name for name, value in self.query.items() if value in _NOTHING]


@dataclass(frozen=True, slots=True)
class Filled:
    """A form as it was filled in: the values that count, defaults among them, and what is wrong with them."""

    values: Values
    problems: tuple[Problem, ...]
    #: The fields that are shown, can be changed, and whose choices are fetched.
    asked: tuple[Asked, ...]
    #: What no other connection may have, by the field's pointer.
    unique: Mapping[str, Any]
    #: The pointers of values that are secret.
    secret: tuple[str, ...]


def fill(fields: Fields, given: Mapping[str, Any], choices: Choices | None = None, root: Path = ("params",)) -> Filled:
    """
    Complete the values of a form and say everything that is wrong with them; ``root`` is where they stand.

    Filling in what came out of it changes nothing: values that were complete are complete.
    """
    filling = _Filling(choices or {})
    values = filling.group(fields, given, root, ChainMap(), is_fixed=False)
    return Filled(
        values,
        tuple(filling.problems),
        tuple(filling.asked),
        filling.unique,
        tuple(filling.secret),
    )


def as_sent(fields: Fields, given: Mapping[str, Any], before: Mapping[str, Any]) -> Values:
    """
    Take out of a form what nobody entered: values stored earlier for fields that are fixed, or are there no more.

    The author may have changed a default, or dropped a field, since the form was filled in.
    """
    known = {item.name: item for item in fields}
    kept: Values = {}
    for name, value in given.items():
        item, stored = known.get(name), before.get(name)
        if (item is None or _is_fixed(item)) and name in before and value == stored:
            continue
        if item is not None and isinstance(value, dict) and isinstance(stored, dict):
            value = as_sent(item.properties or (), value, stored)
        kept[name] = value
    return kept


def misfits(fields: Fields, stored: Mapping[str, Any], sealed: Collection[str]) -> Iterator[Problem]:
    """
    Say which values of a form that was filled in earlier do not fit other fields.

    Of what is ``sealed``, by pointer, it is known that there is a value, and no more.
    """
    for problem in fill(fields, as_sent(fields, stored, stored)).problems:
        if problem.pointer not in sealed:
            message = f"what is filled in does not fit: {problem.message}; change it, or make another target connection"
            yield Problem(problem.code, problem.pointer, message)


def field_at(fields: Fields, where: str) -> tuple[str, CustomerDataField] | None:
    """
    Find a field by its name, or by its JSON pointer where it stands in a group, and return its pointer with it.

    >>> region = CustomerDataField(name="region", type="string")
    >>> field_at([CustomerDataField(name="g", type="object", properties=[region])], "/g/region")[0]
    '/params/g/region'
    """
    return next(
        (
            (pointer(("params", *path)), item)
            for path, item in _every(fields, ())
            if where in (pointer(path), ".".join(path), item.name if len(path) == 1 else None)
        ),
        None,
    )


def _every(fields: Fields, path: Path) -> Iterator[tuple[Path, CustomerDataField]]:
    for item in fields:
        here = (*path, item.name)
        yield here, item
        yield from _every(item.properties or (), here)


def _is_fixed(item: CustomerDataField) -> bool:
    return item.hidden or item.read_only


@dataclass(slots=True)
class _Group:
    """The fields of one group with what was given for them, and what they turn out to be worth."""

    fields: Mapping[str, CustomerDataField]
    given: Mapping[str, Any]
    is_fixed: bool
    deciding: set[str] = field(default_factory=set)


Scope = ChainMap[str, _Group]


@dataclass(slots=True)
class _Filling:
    """One form being filled in."""

    choices: Choices
    problems: list[Problem] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    unique: dict[str, Any] = field(default_factory=dict)
    secret: list[str] = field(default_factory=list)

    def group(self, fields: Fields, given: Mapping[str, Any], path: Path, outer: Scope, *, is_fixed: bool) -> Values:
        """Fill in the fields of one group, in the author's order whatever the order in which they were sent."""
        known = {item.name: item for item in fields}
        group = _Group(known, given, is_fixed)
        scope = outer.new_child(dict.fromkeys(known, group))
        values: Values = {}
        for item in fields:
            if _is_shown(item, scope):
                value = self._value(item, (*path, item.name), scope)
                if value is not None:
                    values[item.name] = value
        for name in sorted(given.keys() - known.keys()):
            these = ", ".join(sorted(known)) or "none"
            where = "this destination" if len(path) == 1 else f"`{path[-1]}`"
            message = f"`{name}` is not a customer data field of {where}; these are: {these}"
            self._find("unknown-field", (*path, name), message)
        return values

    def _value(self, item: CustomerDataField, path: Path, scope: Scope) -> Any:
        group = scope[item.name]
        given = group.given.get(item.name)
        is_fixed = group.is_fixed or _is_fixed(item)
        if item.type == "object":
            return self._group_value(item, given, path, scope, is_fixed=is_fixed)
        if is_fixed:
            value = None if item.default is None else item.default
            if given not in _NOTHING and given != value:
                self._find("not-allowed", path, _fixed(item))
        else:
            value = _entered(item, given)
        if value is None or (value == "" and not _is_choice(item, "")):
            if item.is_required:
                self._find("missing-field", path, f"`{item.name}` must be filled in")
        elif not is_fixed and (problem := self._wrong(item, value, path)) is not None:
            self.problems.append(problem)
        self._note(item, value, path, scope, is_fixed=is_fixed)
        return value

    def _group_value(
        self, item: CustomerDataField, given: Any, path: Path, scope: Scope, *, is_fixed: bool
    ) -> Values | None:
        if given in _NOTHING:
            given = {}
        if not isinstance(given, dict):
            self._find("invalid", path, f"`{item.name}` is a group: send a JSON object with its fields")
            return None
        count = len(self.problems)
        values = self.group(item.properties or (), given, path, scope, is_fixed=is_fixed)
        if not values and item.is_required and len(self.problems) == count:
            self._find("missing-field", path, f"`{item.name}` must be filled in")
        return values or None

    def _wrong(self, item: CustomerDataField, value: Any, path: Path) -> Problem | None:
        where, name = pointer(path), item.name
        if item.type == "integer" and type(value) is not int:
            return Problem("invalid", where, f"`{name}` is a whole number")
        if item.type == "string" and not isinstance(value, str):
            return Problem("invalid", where, f"`{name}` is a text")
        if item.format == "password" and value == MASK:
            return Problem("masked-secret", where, f"{MASK} stands for a secret that is stored, and none is: send it")
        if item.options is not None and not _is_choice(item, value):
            return Problem("not-allowed", where, f"`{name}` is one of: {', '.join(item.options)}")
        if where in self.choices and item.dynamic_enum is not None and str(value) not in self.choices[where]:
            return Problem("not-allowed", where, _not_offered(name, self.choices[where]))
        if item.pattern and not is_match(item.pattern, str(value)):
            return Problem("invalid", where, f"`{name}` does not match the pattern {item.pattern}")
        return None

    def _note(self, item: CustomerDataField, value: Any, path: Path, scope: Scope, *, is_fixed: bool) -> None:
        """Remember what somebody else has to look at."""
        where = pointer(path)
        if item.dynamic_enum is not None and not is_fixed:
            query = {name: _effective(name, scope) for name in item.dynamic_enum.query_params}
            self.asked.append(Asked(where, item.dynamic_enum, value, query))
        if item.unique and value not in _NOTHING:
            self.unique[where] = value
        if item.format == "password" and value not in _NOTHING:
            self.secret.append(where)

    def _find(self, code: str, path: Path, message: str) -> None:
        self.problems.append(Problem(code, pointer(path), message))


def _is_shown(item: CustomerDataField, scope: Scope) -> bool:
    """Say whether a field's condition holds; whoever decides on it must be shown too, and comparing is exact."""
    if item.conditional is None:
        return True
    value = _effective(item.conditional.field, scope)
    return value is not None and not isinstance(value, dict) and str(value) == item.conditional.value


def _effective(name: str, scope: Scope) -> Any:
    """Return what a field is worth to those that depend on it; ``None`` where it has no value or decides on itself."""
    depth = next((place for place, group in enumerate(scope.maps) if name in group), None)
    if depth is None:
        return None
    inner: Scope = ChainMap(*scope.maps[depth:])
    group = inner[name]
    item = group.fields[name]
    if name in group.deciding:
        return None
    group.deciding.add(name)
    try:
        if not _is_shown(item, inner):
            return None
    finally:
        group.deciding.discard(name)
    if group.is_fixed or _is_fixed(item):
        return item.default
    return _entered(item, group.given.get(name))


def _entered(item: CustomerDataField, given: Any) -> Any:
    """Return what was entered; the default where nothing was. An empty text takes a default away, but is no number."""
    is_left_out = given is None or (given == "" and item.type != "string")
    if not is_left_out:
        return given
    return None if item.default == "" and item.type != "string" else item.default


def _is_choice(item: CustomerDataField, value: Any) -> bool:
    """Say whether the author lists a value among the choices."""
    return item.options is not None and not isinstance(value, dict | list | bool) and str(value) in item.options


def _fixed(item: CustomerDataField) -> str:
    what = "has no value" if item.default in _NOTHING else f"is always {item.default!r}"
    return f"`{item.name}` is fixed by the author and {what}; leave it out"


def _not_offered(name: str, choices: Sequence[str]) -> str:
    shown = ", ".join(choices[:20])
    more = f" and {len(choices) - 20} more" if len(choices) > 20 else ""
    return f"`{name}` is none of the choices that the partner gives; these are: {shown or 'none'}{more}"
