"""Time zones by the names that Java takes, and the names that it prints."""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from headrace.template.values import RenderError

_CUSTOM = re.compile(r"GMT([+-])([0-9]{1,2}):?([0-9]{2})?")
_PLACE = re.compile(r"[A-Za-z0-9_+/-]{1,64}")

_SHORT_IDS = {
    "ACT": "Australia/Darwin",
    "AET": "Australia/Sydney",
    "AGT": "America/Argentina/Buenos_Aires",
    "ART": "Africa/Cairo",
    "AST": "America/Anchorage",
    "BET": "America/Sao_Paulo",
    "BST": "Asia/Dhaka",
    "CAT": "Africa/Harare",
    "CNT": "America/St_Johns",
    "CST": "America/Chicago",
    "CTT": "Asia/Shanghai",
    "EAT": "Africa/Addis_Ababa",
    "ECT": "Europe/Paris",
    "IET": "America/Indiana/Indianapolis",
    "IST": "Asia/Kolkata",
    "JST": "Asia/Tokyo",
    "MIT": "Pacific/Apia",
    "NET": "Asia/Yerevan",
    "NST": "Pacific/Auckland",
    "PLT": "Asia/Karachi",
    "PNT": "America/Phoenix",
    "PRT": "America/Puerto_Rico",
    "PST": "America/Los_Angeles",
    "SST": "Pacific/Guadalcanal",
    "VST": "Asia/Ho_Chi_Minh",
}

ABBREVIATIONS: dict[str, tuple[float, str]] = {
    "UTC": (0, "Coordinated Universal Time"),
    "GMT": (0, "Greenwich Mean Time"),
    "WET": (0, "Western European Standard Time"),
    "WEST": (1, "Western European Summer Time"),
    "BST": (1, "British Summer Time"),
    "CET": (1, "Central European Standard Time"),
    "CEST": (2, "Central European Summer Time"),
    "EET": (2, "Eastern European Standard Time"),
    "EEST": (3, "Eastern European Summer Time"),
    "MSK": (3, "Moscow Standard Time"),
    "IST": (5.5, "India Standard Time"),
    "HKT": (8, "Hong Kong Standard Time"),
    "JST": (9, "Japan Standard Time"),
    "KST": (9, "Korean Standard Time"),
    "AEST": (10, "Australian Eastern Standard Time"),
    "AEDT": (11, "Australian Eastern Daylight Time"),
    "NZST": (12, "New Zealand Standard Time"),
    "NZDT": (13, "New Zealand Daylight Time"),
    "AST": (-4, "Atlantic Standard Time"),
    "ADT": (-3, "Atlantic Daylight Time"),
    "EST": (-5, "Eastern Standard Time"),
    "EDT": (-4, "Eastern Daylight Time"),
    "CST": (-6, "Central Standard Time"),
    "CDT": (-5, "Central Daylight Time"),
    "MST": (-7, "Mountain Standard Time"),
    "MDT": (-6, "Mountain Daylight Time"),
    "PST": (-8, "Pacific Standard Time"),
    "PDT": (-7, "Pacific Daylight Time"),
    "AKST": (-9, "Alaska Standard Time"),
    "AKDT": (-8, "Alaska Daylight Time"),
    "HST": (-10, "Hawaii-Aleutian Standard Time"),
}
"""Hours east of Greenwich and the full name, of the zones that are read and printed by an abbreviation."""


_LOADED: list[ZoneInfo] = []


def load() -> None:
    """Read every zone now, for a process that will not be able to read files when a template names one."""
    _LOADED[:] = [ZoneInfo(name) for name in sorted(available_timezones())]  # It finds again what somebody holds.


@lru_cache(64)
def zone(name: str) -> tzinfo:
    """
    The zone of this name.

    Raises: RenderError if there is none. Java would take Greenwich time without a word, and dates would be wrong.
    """
    if name in ("UTC", "GMT", "Z", "UT"):
        return UTC if name != "GMT" else timezone(timedelta(0), "GMT")
    custom = _CUSTOM.fullmatch(name)
    if custom:
        return _offset(custom)
    try:
        if _PLACE.fullmatch(name):
            return ZoneInfo(_SHORT_IDS.get(name, name))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        pass
    raise RenderError(
        "argument `timeZone` of filter `date` is not a time zone; write one as Europe/Lisbon or GMT+01:00"
    )


def _offset(custom: re.Match[str]) -> tzinfo:
    sign, hours, minutes = custom.groups(default="0")
    if int(hours) > 23 or int(minutes) > 59:
        raise RenderError("argument `timeZone` of filter `date` is not a time zone")
    east = timedelta(hours=int(hours), minutes=int(minutes)) * (1 if sign == "+" else -1)
    return timezone(east, f"GMT{sign}{int(hours):02}:{int(minutes):02}")


def minutes_east(moment: datetime) -> int:
    """The distance of a moment's zone from Greenwich."""
    offset = moment.utcoffset() or timedelta(0)
    return round(offset.total_seconds() / 60)


def zone_text(moment: datetime, *, full: bool) -> str:
    """What ``z`` prints: the abbreviation, or the full name where it is known."""
    name = moment.tzname() or "UTC"
    if name in ABBREVIATIONS:
        return ABBREVIATIONS[name][1] if full else name
    if name.startswith("GMT"):
        return name
    east = minutes_east(moment)
    custom = f"GMT{'+' if east >= 0 else '-'}{abs(east) // 60:02}:{abs(east) % 60:02}"
    return custom if full or name[0] in "+-" else name
