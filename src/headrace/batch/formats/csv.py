"""
CSV as Spark 4 writes it, to the byte: each row is one expression, and its value a whole line with its end.

What a cell is, in this order: null is ``nullValue``; blanks (U+0020 and below) are taken away; nothing is left, it is
``emptyValue``; it is quoted where it has to be. ``nullValue`` and ``emptyValue`` go the same way, except that one which
is between quotes already is taken as it is. Most cells need none of this: each has a test that is quick and sure to
find those that do, and only these take the long way.
"""

from dataclasses import dataclass

import pyarrow as pa

from headrace.batch.formats.csv_columns import Column, column_of
from headrace.batch.formats.format import Sink, formats
from headrace.batch.formats.lines import text_of
from headrace.batch.formats.sql import BLANKS, literal, once
from headrace.model.file_configurations import NO_CHARACTER
from headrace.model.file_format import CsvFormat, FileFormat
from headrace.model.problem import ConfigurationError, Problem

#: Spark never tells its writer that nothing begins a comment, so the first cell of a line is quoted where it does.
COMMENT = "#"
#: Where a spreadsheet may take a cell for a formula.
FORMULAS = "=+-@\t\r\0"
#: Names of what is computed once; no column can have them by accident.
_VALUE, _CELL, _GUARDED = '"cell as it came"', '"cell without blanks"', '"cell that is no formula"'


@dataclass(frozen=True, slots=True)
class Style:
    """What the options come to for a cell, in text and in SQL."""

    look: CsvFormat

    @property
    def triggers(self) -> tuple[str, ...]:
        """What a value is quoted for, wherever it stands in it."""
        look = self.look
        quotes = (look.quote,) if look.escape_quotes else ()
        return tuple(dict.fromkeys((look.separator, *quotes, "\n", "\r", look.line_end)))

    def is_plain(self, column: Column, *, is_first: bool) -> bool:
        """Say whether no value of a column can need quotes, or lose anything."""
        if column.characters is None:
            return False
        look = self.look
        special = {*self.triggers, look.quote, look.escape, *BLANKS} | ({COMMENT} if is_first else set())
        return all(not column.characters.issuperset(text) for text in special)

    # -- known texts ----------------------------------------------------------------------------------------------

    def said(self, text: str, *, is_first: bool) -> str:
        """Return what is written for ``nullValue`` and ``emptyValue``."""
        quote = self.look.quote
        begins = self.look.quote_all or self._left(text).startswith(quote)
        if len(text) >= 2 and text[0] == text[-1] == quote and begins:
            return text
        return self._written(text, is_first=is_first)

    def named(self, name: str, *, is_first: bool) -> str:
        """Return what the header has for a column."""
        left = name.strip(BLANKS) if self.look.strips_before or self.look.strips_after else name
        return self._written(name, is_first=is_first) if left else self.said(self.look.empty_value, is_first=is_first)

    def _written(self, text: str, *, is_first: bool) -> str:
        look = self.look
        left = self._left(text)
        is_quoted = (
            look.quote_all
            or left.startswith(look.quote)
            or (is_first and left != "" and text.startswith(COMMENT))
            or any(trigger in left for trigger in self.triggers)
        )
        body = self._escaped(left) if is_quoted else left
        body = body.rstrip(BLANKS) if look.strips_after else body
        return f"{look.quote}{body}{look.quote}" if is_quoted else body

    def _left(self, text: str) -> str:
        return text.lstrip(BLANKS) if self.look.strips_before else text

    def _escaped(self, text: str) -> str:
        return "".join(map(self._escaped_character, text))

    def _escaped_character(self, character: str) -> str:
        look = self.look
        if character == look.quote:
            return look.escape + character
        return self._escaped_escape if character == look.escape else character

    @property
    def _escaped_escape(self) -> str:
        look = self.look
        return (look.escape_of_escape if look.escape_of_escape != NO_CHARACTER else "") + look.escape

    # -- columns --------------------------------------------------------------------------------------------------

    def cell(self, column: Column, *, is_first: bool) -> str:
        """Return SQL for what stands between two separators; where it is null, nothing does."""
        null = self._inner(self.said(self.look.null_value, is_first=is_first))
        if column.sql == "NULL":
            return literal(null)
        plain = self.is_plain(column, is_first=is_first)
        written = column.sql if plain else self._text(column, is_first=is_first)
        return f"coalesce({written}, {literal(null)})" if null else written

    def _inner(self, text: str) -> str:
        """Return what of a known cell is its own: where all are quoted, the quotes are part of what separates them."""
        return text[1:-1] if self.look.quote_all else text

    def _text(self, column: Column, *, is_first: bool) -> str:
        """Return SQL for any text; null for null."""
        value = _VALUE if column.is_computed else column.sql
        careful = self._carefully(value, guards=column.is_text and self.look.formula_guard, is_first=is_first)
        needs_care = self._needs_care(value, column, is_first=is_first)
        case = f"CASE WHEN {needs_care} THEN {careful} ELSE {value} END"
        return once(column.sql, _VALUE, case) if column.is_computed else case

    def _needs_care(self, value: str, column: Column, *, is_first: bool) -> str:
        look = self.look
        # A text is less than `!` where it is empty, or begins with a blank.
        tests = [f"{value} < '!'" if look.strips_before else f"{value} = ''"]
        tests += [f"{value}[-1] < '!'"] if look.strips_after else []
        sought = (look.quote, look.escape) if look.quote_all else self.triggers
        tests += [f"contains({value}, {literal(text)})" for text in dict.fromkeys(sought)]
        tests += [] if look.quote_all or look.escape_quotes else [f"starts_with({value}, {literal(look.quote)})"]
        tests += [f"starts_with({value}, '{COMMENT}')"] if is_first and not look.quote_all else []
        if column.is_text and look.formula_guard:
            tests.append(f"({value} < 'A' AND {_is_formula(value)})")
        return " OR ".join(tests)

    def _carefully(self, value: str, *, guards: bool, is_first: bool) -> str:
        """Return SQL for a text by all the rules, in their order."""
        look = self.look
        empty = literal(self._inner(self.said(look.empty_value, is_first=is_first)))
        is_empty = f"{_right(_CELL)} = ''" if look.strips_after else f"{_CELL} = ''"
        rest = self._quoted(_CELL, value, is_first=is_first)
        if guards:
            guarded = f"if({_is_formula(_CELL)}, '''' || {_CELL}, {_CELL})"
            rest = once(guarded, _GUARDED, self._quoted(_GUARDED, value, is_first=is_first))
        left = _left(value) if look.strips_before else value
        return once(left, _CELL, f"CASE WHEN {is_empty} THEN {empty} ELSE {rest} END")

    def _quoted(self, cell: str, value: str, *, is_first: bool) -> str:
        """Return SQL for a text that is not empty, in quotes if it needs them."""
        quote, body, bare = literal(self.look.quote), self._escaped_sql(cell), cell
        if self.look.strips_after:
            body, bare = _right(body), _right(bare)
        if self.look.quote_all:
            return body
        is_quoted = self._is_quoted(cell, value, is_first=is_first)
        return f"CASE WHEN {is_quoted} THEN {quote} || {body} || {quote} ELSE {bare} END"

    def _is_quoted(self, cell: str, value: str, *, is_first: bool) -> str:
        look = self.look
        tests = [f"contains({cell}, {literal(trigger)})" for trigger in self.triggers]
        tests += [f"starts_with({cell}, {literal(look.quote)})"]
        tests += [f"starts_with({value}, '{COMMENT}')"] if is_first else []
        return " OR ".join(tests)

    def _escaped_sql(self, value: str) -> str:
        look = self.look
        quote, escape = literal(look.quote), literal(look.escape)
        escaped_quote, escaped_escape = literal(look.escape + look.quote), literal(self._escaped_escape)
        if look.escape == look.quote:
            return f"replace({value}, {quote}, {escaped_quote})"
        if look.escape_of_escape != look.quote:
            return f"replace(replace({value}, {escape}, {escaped_escape}), {quote}, {escaped_quote})"
        # What escapes the escape is the quote itself: between quotes, so that none is escaped that was put in here.
        parts = (
            f"list_transform(string_split({value}, {quote}), lambda part: replace(part, {escape}, {escaped_escape}))"
        )
        return f"array_to_string({parts}, {escaped_quote})"


def _left(value: str) -> str:
    return f"regexp_replace({value}, '^[\\x00-\\x20]+', '')"


def _right(value: str) -> str:
    return f"regexp_replace({value}, '[\\x00-\\x20]+$', '')"


def _is_formula(value: str) -> str:
    return f"{value}[1] IN ({', '.join(map(literal, FORMULAS))})"


class Csv:
    """Lines of cells."""

    suffix = ".csv"

    def select(self, schema: pa.Schema, look: FileFormat) -> str:
        """Return one column, `line`."""
        style = Style(look.csv)
        _refuse_what_is_named_alike(schema)
        columns = [column_of(field, look.csv) for field in schema]
        cells = [style.cell(column, is_first=place == 0) for place, column in enumerate(columns)]
        return f"{line(cells, look.csv)} AS line"

    def open(self, sink: Sink, schema: pa.Schema, look: FileFormat) -> "Lines":
        """Begin with the names of the columns, where the options want them."""
        lines = Lines(sink, is_wide=look.csv.encoding == "UTF-16")
        if look.csv.header:
            lines.begin(header(schema.names, look.csv))
        return lines


formats.register("csv")(Csv())


def line(cells: list[str], look: CsvFormat) -> str:
    """Return SQL for a whole line. Spark leaves out those that have nothing in them."""
    quote = look.quote if look.quote_all else ""
    between, end = literal(quote + look.separator + quote), literal(quote + look.line_end)
    if len(cells) == 1 and not quote:
        return f"coalesce(nullif({cells[0]}, '') || {end}, '')"
    begin = [literal(quote)] if quote else []
    return f"concat({', '.join([*begin, f', {between}, '.join(cells), end])})"


def header(names: list[str], look: CsvFormat) -> str:
    """Return the line that names the columns."""
    style = Style(look)
    text = look.separator.join(style.named(name, is_first=place == 0) for place, name in enumerate(names))
    return text + look.line_end if text else ""


def _refuse_what_is_named_alike(schema: pa.Schema) -> None:
    folded = [name.lower() for name in schema.names]
    if twice := [name for place, name in enumerate(schema.names) if name.lower() in folded[:place]]:
        message = f"two columns are named `{twice[0]}`, in whatever case of letters; rename one"
        raise ConfigurationError([Problem("named-twice", "", message)])


class Lines:
    """
    Writes lines as they come: the bytes of the column are the bytes of the file.

    UTF-16 is as Java writes it: the high byte first, and U+FEFF once, before the first character there is.
    """

    def __init__(self, sink: Sink, *, is_wide: bool) -> None:
        self._sink = sink
        self._is_wide = is_wide
        self._mark = b"\xfe\xff" if is_wide else b""

    def begin(self, line: str) -> None:
        self._put(pa.py_buffer(line.encode()))

    def write(self, batch: pa.RecordBatch) -> None:
        column = batch.column(0)
        self._put(text_of(column.cast(pa.large_string()) if pa.types.is_string_view(column.type) else column))

    def close(self) -> None:
        """Nothing stands at the end."""

    def _put(self, lines: pa.Buffer) -> None:
        if not lines.size:
            return
        self._sink(self._mark + str(lines, "utf-8").encode("utf-16-be") if self._is_wide else lines)
        self._mark = b""
