"""
Numbers as Java prints them: ``Double.toString`` as of JDK 19, ``Float.toString``, ``BigDecimal.toString``.

JDK 19 and newer print the shortest decimal that is read back as the same number; older ones print some numbers longer
(``2.0E23`` as ``1.9999999999999998E23``), which is no other number.
"""

from headrace.batch.formats.sql import once

#: From here on, and below the other, Java writes an exponent.
_LARGE, _SMALL = "1e7", "1e-3"
#: Of what is no number, by its text; a NaN may have a sign.
_NO_NUMBER = "replace(replace(replace({written}, '-nan', 'nan'), 'nan', 'NaN'), 'inf', 'Infinity')"


def java_double(x: str, *, around_none: str = "") -> str:
    """
    Return SQL for what Java prints for a DOUBLE or a FLOAT; ``around_none`` stands around what is no number.

    DuckDB finds the same digits, and writes other exponents. Only those get the long way. What is no number comes
    first, and nothing is compared to tell it: the least and the greatest that Parquet says of a column leave ``NaN``
    out, and DuckDB decides comparisons by them, and ``isnan``, without looking at values.
    """
    written = f"CAST({x} AS VARCHAR)"
    none = f"concat('{around_none}', {_NO_NUMBER.format(written=written)}, '{around_none}')"
    return (
        f"CASE WHEN NOT isfinite({x}) THEN {none} "
        f"WHEN (abs({x}) >= {_SMALL} AND abs({x}) < {_LARGE}) OR {x} = 0 OR {x} IS NULL THEN {written} "
        f"ELSE if({x} < 0, '-', '') || {once(_digits(x), 'written', _SCIENTIFIC)} END"
    )


def _digits(x: str) -> str:
    """Return SQL for the shortest digits; where one is enough, Java prints the nearest two: ``4.9E-324``."""
    shortest = f"CAST(abs({x}) AS VARCHAR)"
    return f"if(regexp_matches({shortest}, '^[0-9]e'), printf('%.1e', CAST(abs({x}) AS DOUBLE)), {shortest})"


def _scientific(digits: str, exponent: str) -> str:
    """Return SQL for digits and the exponent of the first of them, as Java writes them."""
    return f"concat({digits}[1], '.', coalesce(nullif({digits}[2:], ''), '0'), 'E', {exponent})"


_WITH_EXPONENT = _scientific(
    "replace(split_part(written, 'e', 1), '.', '')", "CAST(split_part(written, 'e', 2) AS INTEGER)"
)
_LARGE_ONE = _scientific("rtrim(replace(written, '.', ''), '0')", "strpos(written, '.') - 2")
_SMALL_ONE = _scientific("ltrim(written, '0.')", "strlen(ltrim(written, '0.')) - strlen(written) + 1")
_SCIENTIFIC = (
    f"CASE WHEN contains(written, 'e') THEN {_WITH_EXPONENT} WHEN starts_with(written, '0.') THEN {_SMALL_ONE} "
    f"ELSE {_LARGE_ONE} END"
)


def java_decimal(x: str, precision: int, scale: int) -> str:
    """Return SQL for what Java prints for a DECIMAL: below a millionth with an exponent, and ``0E-8`` for a zero."""
    plain = _plain_decimal(x, has_whole=precision > scale)
    if scale <= 6:
        return plain
    digits = f"ltrim(split_part(CAST({x} AS VARCHAR), '.', 2), '0')"
    exponent = f"strlen(digits) - 1 - {scale}"
    tiny = f"concat(digits[1], if(strlen(digits) > 1, '.', ''), digits[2:], 'E', {exponent})"
    return (
        f"CASE WHEN abs({x}) >= 0.000001 OR {x} IS NULL THEN {plain} WHEN {x} = 0 THEN '0E-{scale}' "
        f"ELSE if({x} < 0, '-', '') || {once(digits, 'digits', tiny)} END"
    )


def _plain_decimal(x: str, *, has_whole: bool) -> str:
    """Return SQL for all places. Where no digit can stand before the point, DuckDB leaves out the zero: ``-.5``."""
    written = f"CAST({x} AS VARCHAR)"
    return written if has_whole else f"replace({written}, '.', '0.')"
