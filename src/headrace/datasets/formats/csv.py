"""CSV files, line by line, so that each bad row is known by its line."""

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from headrace.datasets.formats.typed import TYPES, converted
from headrace.datasets.manifest import File, Manifest, Unreadable
from headrace.datasets.places import shown
from headrace.datasets.rows import ROWS, BadRow, Piece, Rows, Surroundings, formats, narrowed
from headrace.model.dataset import Dataset

ENDINGS = (".csv", ".tsv", ".txt")
#: A value, or an error in the place of a row, with the line on which the row begins.
_Line = tuple[int, list[str] | str]


class CsvRows:
    """The rows of CSV files, one file after the other."""

    def __init__(self, surroundings: Surroundings, dataset: Dataset, manifest: Manifest) -> None:
        self._surroundings = surroundings
        self._dataset = dataset
        self._manifest = manifest
        self._nulls = frozenset(dataset.csv.null_texts)
        self._kinds = {name: dataset.types[name] for name in manifest.schema.names if name in dataset.types}

    def pieces(self, columns: Sequence[str] | None = None) -> Iterator[Piece]:
        schema = narrowed(self._manifest.schema, columns)
        for file in self._manifest.files:
            rows = _Rows(file.path, schema)
            names = _names(self._surroundings, self._dataset, file)
            for line, values in _lines(self._surroundings, self._dataset, file):
                if (bad := self._add(rows, names, line, values)) is not None:
                    rows.bad.append(BadRow(file.path, line, *bad))
                if rows.is_full:
                    yield rows.piece()
            yield rows.piece()

    def _add(self, rows: "_Rows", names: Sequence[str], line: int, values: list[str] | str) -> tuple[str, str] | None:
        """Take one row in, or say what is wrong with it."""
        if isinstance(values, str):
            return "csv", values
        if len(values) != len(names):
            return "columns", f"the row has {len(values)} values; there are {len(names)} columns"
        if any(not text.isascii() and _is_undecoded(text) for text in values):
            return "encoding", f"the row is not written in {self._dataset.csv.encoding}"
        pairs = zip(names, values, strict=True)
        row: dict[str, Any] = {name: None if text in self._nulls else text for name, text in pairs}
        if (wrong := converted(self._kinds, row)) is not None:
            return "type", wrong
        rows.add(line, row)
        return None


class _Rows:
    """Rows that are being collected."""

    def __init__(self, file: str, schema: pa.Schema) -> None:
        self.file = file
        self.schema = schema
        self.bad: list[BadRow] = []
        self._lines: list[int] = []
        self._values: list[dict[str, object]] = []

    @property
    def is_full(self) -> bool:
        return len(self._lines) + len(self.bad) >= ROWS

    def add(self, line: int, row: dict[str, object]) -> None:
        self._lines.append(line)
        self._values.append(row)

    def piece(self) -> Piece:
        """Return what was collected, and begin anew."""
        arrays = [pa.array([row.get(field.name) for row in self._values], field.type) for field in self.schema]
        batch = pa.RecordBatch.from_arrays(arrays, schema=self.schema)
        made = Piece(self.file, tuple(self._lines), batch, tuple(self.bad))
        self.bad, self._lines, self._values = [], [], []
        return made


@formats.register("csv")
class Csv:
    """CSV files of the same columns."""

    def take(self, surroundings: Surroundings, dataset: Dataset) -> Manifest:
        """Look at the first lines of the files."""
        files = surroundings.find(dataset, ENDINGS)
        first = _names(surroundings, dataset, files[0])
        for file in files[1:]:
            if {*_names(surroundings, dataset, file)} != {*first}:
                raise Unreadable(f"{shown(file.path)} has other columns than {shown(files[0].path)}")
        schema = pa.schema([(name, TYPES[dataset.types.get(name, "text")]) for name in first])
        return Manifest(files, schema)

    def open(self, surroundings: Surroundings, dataset: Dataset, manifest: Manifest) -> Rows:
        """Return the rows."""
        return CsvRows(surroundings, dataset, manifest)

    def count(self, rows: Rows, manifest: Manifest) -> int | None:
        """Any row may be bad."""
        return None


def _names(surroundings: Surroundings, dataset: Dataset, file: File) -> Sequence[str]:
    if not dataset.csv.header:
        return dataset.csv.columns
    _, names = next(_all_lines(surroundings, dataset, file), (1, []))
    if isinstance(names, str) or not names:
        raise Unreadable(f"the first line of {shown(file.path)} does not name its columns: {names or 'it is empty'}")
    if len({*names}) < len(names):
        raise Unreadable(f"the first line of {shown(file.path)} names a column twice: rename one")
    return names


def _lines(surroundings: Surroundings, dataset: Dataset, file: File) -> Iterator[_Line]:
    """Yield the rows of a file without the one that names the columns."""
    lines = _all_lines(surroundings, dataset, file)
    if dataset.csv.header:
        next(lines, None)
    return lines


def _all_lines(surroundings: Surroundings, dataset: Dataset, file: File) -> Iterator[_Line]:
    reading = dataset.csv
    encoding = "utf-8-sig" if reading.encoding.lower().replace("_", "-") in ("utf-8", "utf8") else reading.encoding
    try:
        opened = surroundings.open(file)
        with io.TextIOWrapper(opened, encoding=encoding, errors="surrogateescape", newline="") as text:
            reader = csv.reader(text, delimiter=reading.delimiter, quotechar=reading.quote, strict=True)
            yield from _rows_of(reader)
    except (OSError, UnicodeError) as error:
        raise Unreadable(f"{shown(file.path)} cannot be read in {reading.encoding}: {error}") from None


def _rows_of(reader: Any) -> Iterator[_Line]:
    while True:
        begins = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield begins, f"this is no CSV: {error}"
            continue
        if row:  # An empty line is none.
            yield begins, row


def _is_undecoded(text: str) -> bool:
    return any("\udc80" <= character <= "\udcff" for character in text)
