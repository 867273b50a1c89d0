"""Files of one JSON object a line: whole profiles, or rows of columns."""

from collections.abc import Iterator, Sequence
from typing import Any

import orjson
import pyarrow as pa

from headrace.datasets.formats.typed import TYPES, converted
from headrace.datasets.manifest import File, Manifest, Unreadable, unified
from headrace.datasets.places import shown
from headrace.datasets.rows import ROWS, BadRow, Piece, Rows, Surroundings, formats, narrowed
from headrace.model.dataset import Dataset

ENDINGS = (".ndjson", ".jsonl", ".json")
#: A line longer than this is no row; no profile is.
LONGEST = 1 << 20
#: The one column of whole profiles.
DOCUMENT = "document"
_WHOLE = pa.schema([(DOCUMENT, pa.string())])


class NdjsonRows:
    """The rows of files of JSON, one file after the other."""

    def __init__(self, surroundings: Surroundings, dataset: Dataset, manifest: Manifest) -> None:
        self._surroundings = surroundings
        self._dataset = dataset
        self._manifest = manifest

    def pieces(self, columns: Sequence[str] | None = None) -> Iterator[Piece]:
        schema = narrowed(self._manifest.schema, columns)
        for file in self._manifest.files:
            for lines, rows, bad in _parts(self._surroundings, self._dataset, file):
                yield Piece(file.path, tuple(lines), _batch(rows, schema), tuple(bad))


@formats.register("ndjson")
class Ndjson:
    """Files of one JSON object a line."""

    def take(self, surroundings: Surroundings, dataset: Dataset) -> Manifest:
        """Read all lines, to know which columns there are."""
        files = surroundings.find(dataset, ENDINGS)
        if dataset.shape == "profiles":
            return Manifest(files, _WHOLE)
        found = unified(self._schemas(surroundings, dataset, files))
        said = {name: TYPES[kind] for name, kind in dataset.types.items()}
        return Manifest(files, pa.schema([(field.name, said.get(field.name, field.type)) for field in found]))

    def open(self, surroundings: Surroundings, dataset: Dataset, manifest: Manifest) -> Rows:
        """Return the rows."""
        return NdjsonRows(surroundings, dataset, manifest)

    def count(self, rows: Rows, manifest: Manifest) -> int | None:
        """Any line may be bad."""
        return None

    def _schemas(
        self, surroundings: Surroundings, dataset: Dataset, files: Sequence[File]
    ) -> Iterator[tuple[str, pa.Schema]]:
        yield "", pa.schema([])
        for file in files:
            for lines, rows, _ in _parts(surroundings, dataset, file):
                surroundings.go_on()
                if rows:
                    yield file.path, _inferred(file.path, lines, rows)


def _inferred(path: str, lines: Sequence[int], rows: list[dict[str, Any]]) -> pa.Schema:
    try:
        kind = pa.array(rows).type
    except (pa.ArrowException, OverflowError) as error:
        raise Unreadable(
            f"a column of {shown(path)} holds different things in lines {lines[0]} to {lines[-1]}: say in `types` what"
            f" it is ({error})"
        ) from None
    return pa.schema(list(kind))


def _batch(rows: list[dict[str, Any]], schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(
        [pa.array([row.get(field.name) for row in rows], field.type) for field in schema], schema=schema
    )


def _parts(
    surroundings: Surroundings, dataset: Dataset, file: File
) -> Iterator[tuple[list[int], list[dict[str, Any]], list[BadRow]]]:
    """Yield lines with what stands in them, some thousand at a time."""
    is_whole = dataset.shape == "profiles"
    lines: list[int] = []
    rows: list[dict[str, Any]] = []
    bad: list[BadRow] = []
    for line, text in _lines(surroundings, file):
        row, wrong = _row(text, is_whole, dataset.types)
        if wrong is not None:
            bad.append(BadRow(file.path, line, *wrong))
        else:
            lines.append(line)
            rows.append(row)
        if len(lines) + len(bad) >= ROWS:
            yield lines, rows, bad
            lines, rows, bad = [], [], []
    yield lines, rows, bad


def _row(text: bytes | None, is_whole: bool, types: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, str] | None]:
    """Read a line as a row, or say what is wrong with it."""
    if text is None:
        return {}, ("too-large", f"the line has more than {LONGEST} bytes")
    try:
        row = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return {}, ("json", f"not JSON: {error.msg} at character {error.pos + 1}")
    if type(row) is not dict:
        return {}, ("not-an-object", "the line is no JSON object")
    if is_whole:
        return {DOCUMENT: text.decode()}, None
    wrong = converted(types, row)
    return row, None if wrong is None else ("type", wrong)


def _lines(surroundings: Surroundings, file: File) -> Iterator[tuple[int, bytes | None]]:
    """Yield the lines that hold something with their numbers; ``None`` is one that is too long to be read."""
    try:
        with surroundings.open(file) as opened:
            number = 0
            while text := opened.readline(LONGEST + 2):
                number += 1
                if len(text) > LONGEST + 1:
                    yield number, None
                    while text and not text.endswith(b"\n"):
                        text = opened.readline(LONGEST)
                elif stripped := text.strip():
                    yield number, stripped
    except OSError as error:
        raise Unreadable(f"{shown(file.path)} cannot be read: {error.strerror}") from None
