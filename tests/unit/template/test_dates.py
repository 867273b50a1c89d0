from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace import template
from headrace.template.dates import DEFAULT_PATTERN, format_date, parse_date

MOMENTS = st.datetimes(datetime(1600, 1, 1), datetime(9998, 12, 31), timezones=st.just(UTC))
PATTERNS = [
    "yyyy-MM-dd'T'HH:mm:ssZ",
    "yyyyMMddHHmmssX",
    "EEE, d MMM yyyy hh:mm:ss a z",
    "D yyyy k:m:s XXX",
    "YYYY ww u H:m:s",
]


def value(expression: str, **context: object) -> str:
    return template.compile("{{ " + expression + " }}").render(context)


@given(MOMENTS, st.sampled_from(PATTERNS))
def test_what_is_printed_is_read_back(moment: datetime, pattern: str) -> None:
    printed = format_date(moment, pattern)
    assert parse_date(printed, pattern) == int(moment.replace(microsecond=0).timestamp()) * 1000


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [(".947859", 947), (".9", 900), (".05", 50), (".123", 123), (",5", 500)],
)
def test_digits_after_a_decimal_point_are_a_fraction(text: str, milliseconds: int) -> None:
    assert parse_date("1970-01-01T00:00:00" + text, f"yyyy-MM-dd'T'HH:mm:ss{text[0]}SSS") == milliseconds


def test_milliseconds_without_a_point_are_a_number() -> None:
    assert parse_date("0 7", "s SSS") == 7


def test_two_digits_of_a_year_are_within_a_century_around_now() -> None:
    this_year = datetime.now(UTC).year
    for year in (this_year - 79, this_year, this_year + 19):
        printed = f"{year % 100:02}-06-15"
        assert format_date(datetime.fromtimestamp(parse_date(printed, "yy-MM-dd") / 1000, UTC), "yyyy") == str(year)


def test_a_number_is_milliseconds_and_the_default_pattern_is_the_same_both_ways() -> None:
    assert value("0 | date") == "1970-01-01T00:00:00+0000"
    assert value("'1970-01-01T00:00:01+0000' | date | length") == "24"
    assert value("1500.9 | date('s.SSS')") == "1.500"
    assert parse_date("1970-01-01T00:00:01+0000", DEFAULT_PATTERN) == 1000


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("Asia/Kolkata", "05:30 +0530"),
        ("GMT-3", "21:00 -0300"),
        ("GMT+0130", "01:30 +0130"),
        ("PST", "16:00 -0800"),
        ("GMT", "00:00 +0000"),
    ],
)
def test_zones(place: str, expected: str) -> None:
    assert value("0 | date('HH:mm Z', timeZone=z)", z=place) == expected


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("America/New_York", "EST Eastern Standard Time"),
        ("GMT+05:00", "GMT+05:00 GMT+05:00"),
        ("UTC", "UTC Coordinated Universal Time"),
        ("Asia/Dubai", "GMT+04:00 GMT+04:00"),
    ],
)
def test_names_of_zones(place: str, expected: str) -> None:
    assert value("1704067200000 | date('z zzzz', timeZone=z)", z=place) == expected


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("true | date", "takes a number or a string, not a boolean"),
        ("[] | date", "takes a number or a string, not a list"),
        ("'x' | date", "cannot be read as a date"),
        ("9999999999999999 | date", "outside of the years"),
        ("253402300799999 | date(timeZone='Asia/Tokyo')", "outside of the years"),
        ("0 | date('XXXX')", "three `X`"),
        ('0 | date("yyyy\'")', "quote that is not closed"),
        ("0 | date('n')", "`n` is an illegal pattern character"),
        ("0 | date(5)", "argument `format` of filter `date` must be a string"),
        ("0 | date(timeZone='../../etc/passwd')", "is not a time zone"),
        ("0 | date(timeZone='GMT+99')", "is not a time zone"),
        ("'99999999999999999999' | date(existingFormat='yyyy')", "cannot be read"),
    ],
)
def test_what_is_no_date_is_refused_without_its_value(expression: str, problem: str) -> None:
    with pytest.raises(template.TemplateError, match=problem.replace("`", ".")) as caught:
        value(expression)
    assert "99999" not in caught.value.message
