"""How the files of one export look, in plain values: what ``fileConfigurations`` come to for one operator."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Self, TypeVar

from headrace.model.block import rules_of
from headrace.model.file_configurations import (
    ENCODINGS,
    NO_CHARACTER,
    CsvOptions,
    FileConfigurations,
    JsonOptions,
    as_written,
    separator_as_written,
)
from headrace.model.problem import ConfigurationError, Problem
from headrace.model.text import TemplatedText

Options = FileConfigurations | CsvOptions | JsonOptions
B = TypeVar("B", FileConfigurations, CsvOptions, JsonOptions)
#: Makes the text of a template with what the operator entered.
Render = Callable[[TemplatedText], str]
#: Where the empty text is a choice of its own; elsewhere it means that nothing was chosen.
_MAY_BE_EMPTY = frozenset({"quote", "null_value", "empty_value"})


@dataclass(frozen=True, slots=True)
class CsvFormat:
    """What Spark's CSV writer is told."""

    separator: str
    quote: str
    quote_all: bool
    escape: str
    escape_quotes: bool
    escape_of_escape: str
    header: bool
    strips_before: bool
    strips_after: bool
    null_value: str
    empty_value: str
    date_format: str
    timestamp_format: str
    encoding: str
    line_end: str
    formula_guard: bool = False

    @classmethod
    def of(cls, options: CsvOptions) -> Self:
        """Read options that are all known."""
        quote, escape = (_character(text) for text in (options.quote, options.escape))
        written = options.char_to_escape_quote_escaping
        return cls(
            separator=separator_as_written(options.separator.value),
            quote=quote,
            quote_all=_is_on(options.quote_all),
            escape=escape,
            escape_quotes=_is_on(options.escape_quotes),
            escape_of_escape=_character(written) if written else NO_CHARACTER if escape == quote else escape,
            header=_is_on(options.header),
            strips_before=_is_on(options.ignore_leading_white_space),
            strips_after=_is_on(options.ignore_trailing_white_space),
            null_value=options.null_value.value,
            empty_value=options.empty_value.value,
            date_format=options.date_format.value,
            timestamp_format=options.timestamp_format.value,
            encoding=next(name for name in ENCODINGS if name == options.encoding.value.upper()),
            line_end=_character(options.line_sep),
            formula_guard=options.extension.formula_guard,
        )


@dataclass(frozen=True, slots=True)
class JsonFormat:
    """What Spark's JSON writer is told."""

    ignores_nulls: bool


@dataclass(frozen=True, slots=True)
class FileFormat:
    """How files look: ``file_type`` and ``compression`` in small letters."""

    file_type: str
    compression: str
    csv: CsvFormat
    json: JsonFormat
    max_rows: int
    has_manifest: bool

    @classmethod
    def of(cls, configurations: FileConfigurations, render: Render) -> Self:
        """
        Say how files look for one operator; what is chosen nowhere has its default.

        Raises:
            ConfigurationError: what the operator chose comes to something that no file can be.
        """
        settled = _settled(configurations, render)
        options = _settled(configurations.csv_options, render)
        json_options = _settled(configurations.extension.json_options, render)
        problems = [*_problems(settled), *_problems(options), *_problems(json_options)]
        if problems:
            raise ConfigurationError(problems)
        return cls(
            file_type=settled.file_type.value.lower(),
            compression=settled.compression.value.lower(),
            csv=CsvFormat.of(options),
            json=JsonFormat(ignores_nulls=_is_on(json_options.ignore_null_fields)),
            max_rows=settled.max_file_row_count,
            has_manifest=_is_on(settled.include_file_manifest),
        )


def _settled(block: B, render: Render) -> B:
    """Render every text of a block; where nothing comes of it, and that is no choice, the default counts."""
    texts = {name: value for name, value in block.__dict__.items() if isinstance(value, TemplatedText)}
    return block.model_copy(update={name: _settle(block, name, text, render) for name, text in texts.items()})


def _settle(block: Options, name: str, text: TemplatedText, render: Render) -> object:
    value = render(text) if text.is_template else text.value
    if value or name in _MAY_BE_EMPTY:
        return TemplatedText.literal(value)
    return type(block).model_fields[name].default


def _problems(block: Options) -> Iterator[Problem]:
    for check in rules_of(type(block)):
        yield from (problem for problem in check(block) if problem.is_error)


def _is_on(text: TemplatedText) -> bool:
    return text.value == "true"


def _character(text: TemplatedText) -> str:
    return as_written(text.value) or NO_CHARACTER
