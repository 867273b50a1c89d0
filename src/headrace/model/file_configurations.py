"""How files look: their type, their compression, and what Spark's CSV writer is told."""

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from pydantic import Field

from headrace.model.block import Block, Flag, Whole, rule, wire_names
from headrace.model.date_patterns import faults_of
from headrace.model.problem import Problem
from headrace.model.text import TemplatedText

FILE_TYPES = ("csv", "json", "parquet")
#: What comes behind the end of a name where lines of text are compressed.
SUFFIXES: Mapping[str, str] = MappingProxyType(
    {
        "none": "",
        "gzip": ".gz",
        "bzip2": ".bz2",
        "lz4": ".lz4",
        "snappy": ".snappy",
        "zstd": ".zst",
        "deflate": ".deflate",
    }
)
#: What Parquet compresses its pages by, and what then comes before `.parquet`, as Spark has it.
PARQUET_SUFFIXES: Mapping[str, str] = MappingProxyType(
    {"none": "", "gzip": ".gz", "lz4": ".lz4raw", "snappy": ".snappy", "zstd": ".zstd"}
)
COMPRESSIONS, PARQUET_COMPRESSIONS = tuple(SUFFIXES), tuple(PARQUET_SUFFIXES)
ENCODINGS = ("UTF-8", "UTF-16")
BOOLEANS = ("true", "false")
NO_CHARACTER = "\0"
#: Ways in which a character is written that cannot be typed.
WRITTEN = {"\\t": "\t", "\\n": "\n", "\\r": "\r", "\\0": NO_CHARACTER, "\\u0000": NO_CHARACTER, "\\\\": "\\"}
#: The same inside of a separator, by itself or beside other characters.
IN_SEPARATORS = {**WRITTEN, "\\b": "\b", "\\f": "\f", "\\'": "'", '\\"': '"'}
_ESCAPED = re.compile(r"""\\(?:u0000|[tnrbf0'"\\])""")

_BOOLEAN_OPTIONS = ("quote_all", "escape_quotes", "header", "ignore_leading_white_space", "ignore_trailing_white_space")
_CHARACTER_OPTIONS = ("quote", "escape", "char_to_escape_quote_escaping", "line_sep")
_PATTERN_OPTIONS = ("date_format", "timestamp_format")


def as_written(text: str) -> str:
    r"""
    Return what the text of an option means: a tab may be written ``\t``, and no quote at all ``\u0000``.

    >>> as_written("\\t"), as_written("|")
    ('\t', '|')
    """
    return WRITTEN.get(text, text)


def separator_as_written(text: str) -> str:
    r"""
    Return what the text of ``sep`` means: as Spark, a backslash and the letter after it are one character.

    >>> separator_as_written("|\\t|"), separator_as_written("\\\\")
    ('|\t|', '\\')
    """
    return re.sub(_ESCAPED, lambda found: IN_SEPARATORS[found[0]], text)


class CsvExtension(Block):
    """What Headrace adds to the options of CSV."""

    formula_guard: Flag = Field(
        False,
        description="Whether `'` is put before texts that a spreadsheet may take for formulas: those that begin with "
        "`=`, `+`, `-`, `@`, a tab, a carriage return or U+0000. It spoils telephone numbers such as `+49…` in files "
        "that machines read.",
    )


class CsvOptions(Block):
    """What Spark's CSV writer is told, by the names it has there. Options count for CSV files alone."""

    sep: TemplatedText | None = Field(
        None, description=r"Stands between values, one or more characters, `\t` a tab; `,` where nothing is said."
    )
    delimiter: TemplatedText | None = Field(None, description="Another name of `sep`, which counts where both are.")
    quote: TemplatedText = Field(
        TemplatedText.literal(NO_CHARACTER),
        description="The character around values that need it; empty and U+0000 mean that there is none to see.",
    )
    quote_all: TemplatedText = Field(TemplatedText.literal("false"), description="`true`: quote every value.")
    escape: TemplatedText = Field(
        TemplatedText.literal("\\"), description="The character before a quote inside of a quoted value."
    )
    escape_quotes: TemplatedText = Field(
        TemplatedText.literal("true"),
        description="`true`: a value that holds a quote is quoted, and its quotes escaped.",
    )
    char_to_escape_quote_escaping: TemplatedText | None = Field(
        None,
        description="The character before `escape` inside of quotes; `escape` itself, or none where that is the quote.",
    )
    header: TemplatedText = Field(
        TemplatedText.literal("true"), description="`true`: the first line names the columns."
    )
    ignore_leading_white_space: TemplatedText = Field(
        TemplatedText.literal("true"), description="`true`: leave out blanks at the beginning of values."
    )
    ignore_trailing_white_space: TemplatedText = Field(
        TemplatedText.literal("true"), description="`true`: leave out blanks at the end of values."
    )
    null_value: TemplatedText = Field(TemplatedText.literal(""), description="Written where there is no value.")
    empty_value: TemplatedText = Field(TemplatedText.literal('""'), description="Written for an empty text.")
    date_format: TemplatedText = Field(TemplatedText.literal("yyyy-MM-dd"), description="The pattern of dates.")
    timestamp_format: TemplatedText = Field(
        TemplatedText.literal("yyyy-MM-dd'T'HH:mm:ss[.SSS][XXX]"), description="The pattern of moments."
    )
    encoding: TemplatedText = Field(TemplatedText.literal("UTF-8"), description="`UTF-8` or `UTF-16`.")
    line_sep: TemplatedText = Field(TemplatedText.literal("\n"), description="Ends each line; one character.")
    extension: CsvExtension = Field(
        default_factory=CsvExtension, alias="x-headrace", description="Additions of Headrace."
    )

    @property
    def separator(self) -> TemplatedText:
        """The separator in force, whichever of its two names it has."""
        return self.sep or self.delimiter or TemplatedText.literal(",")

    @rule
    def _one_name_of_the_separator_counts(self) -> Iterator[Problem]:
        if self.sep is not None and self.delimiter is not None and self.sep != self.delimiter:
            yield Problem("has-no-effect", "/delimiter", "`delimiter` counts for nothing beside `sep`; leave it out")

    @rule
    def _something_stands_between_values(self) -> Iterator[Problem]:
        for name in ("sep", "delimiter"):
            if (text := getattr(self, name)) is not None and text.fixed == "":
                yield Problem("invalid", f"/{name}/value", f"`{name}` is not empty: write at least one character")
            if text is not None and "\\" in _ESCAPED.sub("", text.fixed or ""):
                message = f"a backslash in `{name}` begins a character such as `\\t`; write two for a backslash itself"
                yield Problem("invalid", f"/{name}/value", message)

    @rule
    def _switches_are_on_or_off(self) -> Iterator[Problem]:
        for name in _BOOLEAN_OPTIONS:
            yield from one_of(BOOLEANS, getattr(self, name), self._wire(name))

    @rule
    def _characters_are_single(self) -> Iterator[Problem]:
        for name in _CHARACTER_OPTIONS:
            text, wire = getattr(self, name), self._wire(name)
            if text is not None and text.fixed is not None and _units(as_written(text.fixed)) > 1:
                yield Problem("invalid", f"/{wire}/value", f"`{wire}` is a single character, not {text.fixed!r}")

    @rule
    def _marks_can_be_told_apart(self) -> Iterator[Problem]:
        marks = {"quote": self.quote, "lineSep": self.line_sep}
        separator = separator_as_written(self.separator.fixed or "")
        for wire, text in marks.items():
            if text.fixed and as_written(text.fixed) in separator:
                message = f"`{wire}` stands in the separator: no reader can tell them apart; change one of them"
                yield Problem("marks-alike", f"/{wire}/value", message)

    @rule
    def _patterns_can_be_written(self) -> Iterator[Problem]:
        for name in _PATTERN_OPTIONS:
            text, wire = getattr(self, name), self._wire(name)
            for message in faults_of(text.fixed or "", wire):
                yield Problem("invalid", f"/{wire}/value", message)

    @rule
    def _the_encoding_is_known(self) -> Iterator[Problem]:
        yield from one_of(ENCODINGS, self.encoding, "encoding", case_counts=False)

    @classmethod
    def _wire(cls, name: str) -> str:
        return next(wire for wire, own in wire_names(cls).items() if own == name)


class JsonOptions(Block):
    """What Spark's JSON writer is told, by the names it has there. Options count for JSON files alone."""

    ignore_null_fields: TemplatedText = Field(
        TemplatedText.literal("true"),
        description="`true`: a field that has no value is left out. `false`: it is written as `null`.",
    )

    @rule
    def _switches_are_on_or_off(self) -> Iterator[Problem]:
        yield from one_of(BOOLEANS, self.ignore_null_fields, "ignoreNullFields")


class FileExtension(Block):
    """What Headrace adds to how files look."""

    json_options: JsonOptions = Field(default_factory=JsonOptions, description="How JSON files are written.")


class FileConfigurations(Block):
    """How files look. Nothing is needed: what is not said has the default."""

    file_type: TemplatedText = Field(
        TemplatedText.literal("csv"), description="`csv`, `json` or `parquet`, in any case of letters."
    )
    compression: TemplatedText = Field(
        TemplatedText.literal("none"),
        description="`none`, `gzip`, `bzip2`, `lz4`, `snappy`, `zstd` or `deflate`, in any case of letters; Parquet "
        "has no `bzip2` and no `deflate`.",
    )
    csv_options: CsvOptions = Field(default_factory=CsvOptions, description="How CSV files are written.")
    max_file_row_count: Whole = Field(
        5_000_000,
        ge=1_000_000,
        le=10_000_000,
        description="The most rows of one file; the rest goes into further files.",
    )
    include_file_manifest: TemplatedText = Field(
        TemplatedText.literal("false"), description="`true`: each run writes a manifest beside its files."
    )
    extension: FileExtension = Field(
        default_factory=FileExtension, alias="x-headrace", description="Additions of Headrace."
    )

    @rule
    def _what_is_said_is_known(self) -> Iterator[Problem]:
        yield from one_of(FILE_TYPES, self.file_type, "fileType", case_counts=False)
        yield from one_of(COMPRESSIONS, self.compression, "compression", case_counts=False)
        yield from one_of(BOOLEANS, self.include_file_manifest, "includeFileManifest")

    @rule
    def _the_type_has_the_compression(self) -> Iterator[Problem]:
        file_type, compression = ((text.fixed or "").lower() for text in (self.file_type, self.compression))
        if file_type == "parquet" and compression in set(COMPRESSIONS) - set(PARQUET_COMPRESSIONS):
            message = f"Parquet files have no compression `{compression}`; use {', '.join(PARQUET_COMPRESSIONS)}"
            yield Problem("not-allowed", "/compression/value", message)


def _units(text: str) -> int:
    """Return how long a text is to Spark, which counts an emoji as two characters."""
    return len(text.encode("utf-16-be", "surrogatepass")) // 2


def one_of(allowed: tuple[str, ...], text: TemplatedText, wire: str, *, case_counts: bool = True) -> Iterator[Problem]:
    """Say that a text which is known before anything is rendered is none of those allowed."""
    said = text.fixed
    if said is None or said in allowed:
        return
    if case_counts or said.lower() not in {value.lower() for value in allowed}:
        message = f"{said!r} is not allowed here; use {', '.join(allowed[:-1])} or {allowed[-1]}"
        yield Problem("not-allowed", f"/{wire}/value", message)
