"""The combinations of options that files are checked in for, as `csv_goldens.jsonl`."""

from collections.abc import Iterator
from itertools import product
from typing import Any

Combination = tuple[str, dict[str, Any]]
#: What differs from one combination to the next, over one table each.
_TEXTS: list[dict[str, tuple[str, ...]]] = [
    {"sep": (",", ";", "\\t", "|", "||", "¦", "\\\\", " ", "a"), "quote": ('"', "", "'", "|")},
    {
        "quote": ('"',),
        "escape": ("\\", '"', "'", "~"),
        "charToEscapeQuoteEscaping": ("", "\\", '"', "~"),
        "escapeQuotes": ("true", "false"),
    },
    {"sep": (";",), "escapeQuotes": ("false",), "quote": ("'", "", "~")},
    {
        "quote": ('"',),
        "nullValue": ("", "NULL", '""', "a,b"),
        "emptyValue": ("", '""', "EMPTY", "#"),
        "quoteAll": ("true", "false"),
    },
    {
        "ignoreLeadingWhiteSpace": ("true", "false"),
        "ignoreTrailingWhiteSpace": ("true", "false"),
        "quote": ('"', ""),
        "quoteAll": ("true", "false"),
    },
    {"lineSep": ("\\r", "|", ";", "x"), "quote": ('"', ""), "header": ("true", "false")},
    {"encoding": ("UTF-16",), "quote": ('"', ""), "sep": (",", "¦")},
    {"formulaGuard": ("true",), "quote": ('"', ""), "ignoreLeadingWhiteSpace": ("true", "false")},
    {"formulaGuard": ("true",), "quote": ("'", '"'), "quoteAll": ("true", "false"), "escape": ("'",)},
]
_LONE: list[dict[str, tuple[str, ...]]] = [
    {"quote": ('"', ""), "nullValue": ("", "none"), "header": ("true", "false")},
    {"quote": ('"',), "quoteAll": ("true",), "emptyValue": ("", " ")},
    {"quote": ('"',), "emptyValue": ("",), "encoding": ("UTF-8", "UTF-16")},
]
_TYPED: list[dict[str, tuple[str, ...]]] = [
    {"sep": (",", ".", "-", "1", ":", "E", "[", " ", "a"), "quote": ('"', "")},
    {"quote": ('"', "0"), "quoteAll": ("true",), "nullValue": ("", "-")},
    {"quote": ('"',), "escape": ("1", "."), "sep": ("0", ";")},
    {"encoding": ("UTF-16",), "formulaGuard": ("true",)},
]
_TIMES: list[dict[str, tuple[str, ...]]] = [
    {
        "dateFormat": (
            *("MM/dd/yyyy", "d.M.yy", "dd-MMM-yyyy", "EEEE, d MMMM y", "yyyyMMdd", "D/yyyyy", "DDD DD", "QQQ yyyy"),
            *(
                "qqqq",
                "LL LLL LLLL",
                "G GGGG yyyy",
                "E F",
                "yyyy[ HH:mm]",
                "[HH]",
                "'day' d 'o''clock'",
                "yyyy''MM[",
                "  yyyy ",
            ),
        )
    },
    {
        "timestampFormat": (
            *("yyyy-MM-dd HH:mm:ss", "yyyy-MM-dd'T'HH:mm:ss.SSSSSS[XXX]", "yyyy-MM-dd'T'HH:mm:ss.SSSSSSSSS", "h:mm a"),
            *("hh KK kk k K", "S SS SSSS SSSSS", "[VV][ z][ zzzz][ O][ OOOO]", "yyyy[ X][ XX][ XXX][ x][ xx][ xxx]"),
            *("yyyy[ Z][ ZZZZ][ ZZZZZ]", "EEE, dd MMM yyyy HH:mm:ss[ Z]", "H:m:s[.SSS[ VV]]", "yyyy%MM,dd", "'\"'HH"),
        )
    },
    {"dateFormat": ("dd, MMM",), "timestampFormat": ("d MMM, HH",), "quote": ('"',), "sep": (",", "a", "0")},
]


def combinations() -> Iterator[Combination]:
    """List the name of a table and options, as an author writes them; an escape of escapes that is empty is absent."""
    for table, grids in (("text", _TEXTS), ("lone", _LONE), ("typed", _TYPED), ("times", _TIMES)):
        for grid in grids:
            for values in product(*grid.values()):
                yield table, _options(dict(zip(grid, values, strict=True)))


def _options(chosen: dict[str, str]) -> dict[str, Any]:
    if chosen.get("charToEscapeQuoteEscaping") == "":
        del chosen["charToEscapeQuoteEscaping"]
    guard = {"formulaGuard": True} if chosen.pop("formulaGuard", None) else {}
    return chosen | guard
