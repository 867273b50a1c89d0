"""
What stands in the row of a person: what the mapping says of them, as cells.

Somebody has one row, or one for each identity where an identity tells rows apart.
"""

from typing import Any

from headrace.batch.asked import Asked, ColumnAsked
from headrace.batch.cells import UNFIT, cell_of
from headrace.mapping import AttributeRow, LeftOut, Mapping
from headrace.model.profile import Profile

#: What is left out of a row: the place of the column, and why.
Left = list[tuple[int, Any]]


class PeopleRows:
    """Makes rows of people. ``reads_audience``: what stands there depends on the audience at hand."""

    def __init__(self, asked: Asked) -> None:
        places = enumerate(asked.columns)
        attributes = tuple(_placed(place, column) for place, column in places if column.attribute is not None)
        self._mapping = Mapping(attributes, (), predefined=True)
        self._cells = [cell_of(column.type) for column in asked.columns]
        self._attributes = [(row.target, int(row.target), self._cells[int(row.target)]) for row in attributes]
        self._identities = [
            (place, Mapping((), (column.identity,)))
            for place, column in enumerate(asked.columns)
            if column.identity is not None
        ]
        self._many = asked.many
        self.reads_audience = self._mapping.reads_audience

    def of(self, person: Profile) -> tuple[list[list[Any]], Left]:
        """Return the rows of somebody, and what is left out of them."""
        noted: list[LeftOut] = []
        left: Left = []
        row = self._attributes_of(person, noted, left)
        left += [(int(item.target), item.reason) for item in noted]
        many: list[Any] = []
        for place, mapping in self._identities:
            ids = self._ids(mapping, place, person, left)
            row[place] = ids[0] if ids else None
            if place == self._many:
                many = ids
        return [row, *(_with(row, self._many, id_) for id_ in many[1:])], left

    def _attributes_of(self, person: Profile, noted: list[LeftOut], left: Left) -> list[Any]:
        row: list[Any] = [None] * len(self._cells)
        mapped = self._mapping.attributes(person, noted)
        for name, place, cell in self._attributes:
            value = cell(mapped.get(name))
            if value is UNFIT:
                left.append((place, "another-type"))
            else:
                row[place] = value
        return row

    def _ids(self, mapping: Mapping, place: int, person: Profile, left: Left) -> list[Any]:
        noted: list[LeftOut] = []
        cell = self._cells[place]
        found = [cell(item["id"]) for ids in mapping.identities(person, noted).values() for item in ids]
        left += [(place, item.reason) for item in noted]
        left += [(place, "another-type") for value in found if value is UNFIT]
        return list(dict.fromkeys(value for value in found if value is not UNFIT))


def _placed(place: int, column: ColumnAsked) -> AttributeRow:
    """Return a row of the mapping whose target is the place of its column: names may be there twice."""
    row = column.attribute
    assert row is not None
    return AttributeRow(row.source, str(place), row.is_calculated, column.type == "object")


def _with(row: list[Any], place: int | None, value: Any) -> list[Any]:
    assert place is not None
    return [*row[:place], value, *row[place + 1 :]]
