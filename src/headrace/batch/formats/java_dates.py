"""Dates and moments by a pattern of Java, as SQL: what ``DateTimeFormatter`` prints for English and for UTC."""

from collections.abc import Iterator
from typing import Literal

import pyarrow as pa

from headrace.batch.formats.sql import literal
from headrace.model.date_patterns import DATE_LETTERS, TIME_LETTERS, ZONE_LETTERS, Letters, Optional, Parts

Kind = Literal["date", "local", "moment"]
#: Which letters each kind of value has a field for: a day, a moment without a zone, a moment.
FIELDS: dict[Kind, frozenset[str]] = {
    "date": DATE_LETTERS,
    "local": DATE_LETTERS | TIME_LETTERS,
    "moment": DATE_LETTERS | TIME_LETTERS | ZONE_LETTERS,
}
#: What ``strftime`` prints as Java does.
_STRFTIME = {
    **{letter * 1: f"%-{own}" for letter, own in zip("MLdHhms", "mmdHIMS", strict=True)},
    **{letter * 2: f"%{own}" for letter, own in zip("MLdHhms", "mmdHIMS", strict=True)},
    **{letter * 3: "%b" for letter in "ML"},
    **{letter * 4: "%B" for letter in "ML"},
    **{"E" * count: "%a" for count in (1, 2, 3)},
    "EEEE": "%A",
    "a": "%p",
    "DDD": "%j",
    "SSS": "%g",
    "SSSSSS": "%f",
    "yyyy": "%Y",
}
#: What stands for the zone, which is UTC.
_ZONE = {
    "VV": "UTC",
    "z": "UTC",
    "zz": "UTC",
    "zzz": "UTC",
    "zzzz": "Coordinated Universal Time",
    "O": "GMT",
    "OOOO": "GMT",
    **{"X" * count: "Z" for count in range(1, 6)},
    **{"x" * count: text for count, text in enumerate(("+00", "+0000", "+00:00", "+0000", "+00:00"), 1)},
    **{"Z" * count: text for count, text in enumerate(("+0000", "+0000", "+0000", "GMT", "Z"), 1)},
}
_QUARTER = "quarter({x})"
_EXACT = {
    **dict.fromkeys(("G", "GG", "GGG"), "if(year({x}) > 0, 'AD', 'BC')"),
    "GGGG": "if(year({x}) > 0, 'Anno Domini', 'Before Christ')",
    "D": "CAST(dayofyear({x}) AS VARCHAR)",
    "DD": "if(dayofyear({x}) < 10, '0', '') || dayofyear({x})",
    "F": "CAST((day({x}) - 1) % 7 + 1 AS VARCHAR)",
    "k": "CAST((hour({x}) + 23) % 24 + 1 AS VARCHAR)",
    "kk": "lpad(CAST((hour({x}) + 23) % 24 + 1 AS VARCHAR), 2, '0')",
    "K": "CAST(hour({x}) % 12 AS VARCHAR)",
    "KK": "lpad(CAST(hour({x}) % 12 AS VARCHAR), 2, '0')",
}
for _letter in "Qq":
    _EXACT[_letter] = f"CAST({_QUARTER} AS VARCHAR)"
    _EXACT[_letter * 2] = f"'0' || {_QUARTER}"
    _EXACT[_letter * 3] = f"'Q' || {_QUARTER}"
    _EXACT[_letter * 4] = f"['1st', '2nd', '3rd', '4th'][{_QUARTER}] || ' quarter'"

_MONTHS_AND_DAYS = "JanuaryFebruaryMarchAprilMayJuneJulyAugustSeptemberOctoberNovemberDecemberSundayMondayTuesday"
_WORDS = _MONTHS_AND_DAYS + "WednesdayThursdayFridaySaturdayAnno DominiBefore Christ1st2nd3rd4th quarterQAMPM"


def flat(parts: Parts, kind: Kind) -> tuple[str | Letters, ...]:
    """Return the parts that a kind of value has fields for; what is optional and has none is left out."""
    return tuple(_flat(parts, kind))


def _flat(parts: Parts, kind: Kind) -> Iterator[str | Letters]:
    for part in parts:
        if not isinstance(part, Optional):
            yield part
        elif not missing(part.parts, kind):
            yield from _flat(part.parts, kind)


def missing(parts: Parts, kind: Kind) -> list[str]:
    """Return the letters that have to be written, and that a kind of value has no field for."""
    return [part.run for part in parts if isinstance(part, Letters) and part.letter not in FIELDS[kind]]


def alphabet(parts: tuple[str | Letters, ...]) -> frozenset[str]:
    """Return every character that a pattern may print, and perhaps more."""
    texts = {part if isinstance(part, str) else _printed(part) for part in parts}
    return frozenset("".join(texts)) | frozenset("0123456789+-")


def _printed(part: Letters) -> str:
    return _ZONE.get(part.run, _WORDS if part.letter in "GMLEQqa" and part.count != 2 else "")


def java_date(x: str, parts: tuple[str | Letters, ...]) -> str:
    """
    Return SQL that prints a DATE or a TIMESTAMP in UTC, null for null.

    ``strftime`` is quick, and right for the years of four digits.
    """
    has_era = any(isinstance(part, Letters) and part.letter == "G" for part in parts)
    exact = _joined(x, parts, has_era=has_era, is_usual=False)
    if has_era or Letters("y", 4) not in parts:
        return exact
    usual = _joined(x, parts, has_era=False, is_usual=True)
    return f"CASE WHEN year({x}) BETWEEN 1 AND 9999 THEN {usual} ELSE {exact} END"


def as_utc(x: str, kind: pa.TimestampType) -> str:
    """Return SQL for microseconds in UTC, whatever zone the session has; what is finer is cut off, towards the past."""
    if kind.unit != "ns":
        return f"make_timestamp(epoch_us({x}))"
    nanos = f"epoch_ns({x})"
    return f"make_timestamp(({nanos} - ({nanos} % 1000 + 1000) % 1000) // 1000)"


def _joined(x: str, parts: tuple[str | Letters, ...], *, has_era: bool, is_usual: bool) -> str:
    """Return the pieces in a row; those that ``strftime`` can print stand in as few calls as can be."""
    pieces, run = [], ""
    for part in parts:
        template = _template(part, is_usual=is_usual)
        if template is None:
            pieces += [_strftime(x, run), _exact(x, part, has_era=has_era)]
            run = ""
        else:
            run += template
    return (
        "(" + " || ".join(filter(None, [*pieces, _strftime(x, run)])) + ")" if parts else f"if({x} IS NULL, NULL, '')"
    )


def _template(part: str | Letters, *, is_usual: bool) -> str | None:
    if isinstance(part, str):
        return part.replace("%", "%%")
    if part.run == "yyyy" and not is_usual:
        return None
    return _STRFTIME.get(part.run) or _ZONE.get(part.run)


def _strftime(x: str, template: str) -> str:
    return f"strftime({x}, {literal(template)})" if template else ""


def _exact(x: str, part: str | Letters, *, has_era: bool) -> str:
    assert isinstance(part, Letters)
    if part.letter == "y":
        return _year(f"if(year({x}) > 0, year({x}), 1 - year({x}))" if has_era else f"year({x})", part.count)
    if part.letter == "S":
        return f"rpad(left(strftime({x}, '%f'), {part.count}), {part.count}, '0')"
    return "(" + _EXACT[part.run].format(x=x) + ")"


def _year(year: str, count: int) -> str:
    """Return a year in at least ``count`` digits; of four and more, a longer one has a sign; of two, the last two."""
    if count == 2:
        return f"lpad(CAST(abs({year}) % 100 AS VARCHAR), 2, '0')"
    digits = f"CAST(abs({year}) AS VARCHAR)"
    padded = f"if(strlen({digits}) < {count}, lpad({digits}, {count}, '0'), {digits})"
    longer = f"WHEN strlen({digits}) > {count} THEN '+' " if count > 3 else ""
    return f"(CASE WHEN {year} < 0 THEN '-' {longer}ELSE '' END || {padded})"
