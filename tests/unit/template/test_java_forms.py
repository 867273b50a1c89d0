"""Dates, numbers, formats and splits beside what a Java runtime gives for the same: one JSON array a line."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from headrace.template.dates import EPOCH, format_date, parse_date
from headrace.template.decimals import format_number
from headrace.template.engine import compile_template
from headrace.template.formats import format_text
from headrace.template.limits import DEFAULT_LIMITS, Limits, Meter
from headrace.template.patterns import split_text
from headrace.template.values import Character, RenderError
from headrace.template.zones import zone

DATA = Path(__file__).parent / "data"


def rows(name: str) -> list[list[Any]]:
    return [json.loads(line) for line in (DATA / f"{name}.jsonl").read_text().splitlines()]


def value(written: Any) -> Any:
    if isinstance(written, dict):
        return Character(written["char"]) if "char" in written else float(written["double"])
    return written


def number(written: str) -> int | float:
    return int(written) if written.lstrip("-").isdigit() else float(written)


def test_dates_print_as_in_java() -> None:
    for since_epoch, pattern, place, expected in rows("date_formats"):
        moment = (EPOCH + timedelta(milliseconds=since_epoch)).astimezone(zone(place))
        assert format_date(moment, pattern) == expected, (since_epoch, pattern, place)


@pytest.mark.parametrize(("pattern", "text", "expected"), rows("date_texts"))
def test_dates_are_read_as_in_java(pattern: str, text: str, expected: int | None) -> None:
    if expected is None:
        with pytest.raises(RenderError, match="cannot be read"):
            parse_date(text, pattern)
    else:
        assert parse_date(text, pattern) == expected


def test_numbers_print_as_in_java() -> None:
    for pattern, written, expected in rows("number_formats"):
        assert format_number(number(written), pattern) == expected, (pattern, written)


@pytest.mark.parametrize(("pattern", "expected"), rows("number_patterns"))
def test_number_patterns_are_refused_as_in_java(pattern: str, expected: str | None) -> None:
    if expected is None:
        with pytest.raises(RenderError, match="number pattern"):
            format_number(1234.5, pattern)
    else:
        assert format_number(1234.5, pattern) == expected


@pytest.mark.parametrize(("pattern", "arguments", "expected"), rows("string_formats"))
def test_texts_are_formatted_as_in_java(pattern: str, arguments: list[Any], expected: str | None) -> None:
    meter = Meter(DEFAULT_LIMITS, compile_template.__code__)
    if expected is None:
        with pytest.raises(RenderError):
            format_text(meter, pattern, *map(value, arguments))
    else:
        assert format_text(meter, pattern, *map(value, arguments)) == expected


@pytest.mark.parametrize(("text", "pattern", "limit", "expected"), rows("splits"))
def test_texts_are_split_as_in_java(text: str, pattern: str, limit: int, expected: list[str]) -> None:
    meter = Meter(Limits(), compile_template.__code__)
    assert split_text(meter, text, pattern, limit) == expected
