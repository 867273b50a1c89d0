"""Which bytes of a file are asked for, and on which conditions."""

import re
from email.utils import parsedate_to_datetime

from starlette.datastructures import Headers

from headrace.api.blob_answers import BlobError, marks
from headrace.connect.storage.served import Seen

#: The two forms that Azure knows; whatever else a range may be asks for the whole file.
_RANGE = re.compile(r"bytes=(\d{1,19})-(\d{1,19})?")


def range_of(headers: Headers, seen: Seen) -> tuple[int, int] | None:
    """
    Return the first byte that is wanted and the one after the last; ``None``: the whole file.

    Raises:
        BlobError: the file ends before the first.
    """
    found = _RANGE.fullmatch((headers.get("x-ms-range") or headers.get("range") or "").strip())
    if found is None or not _is_still(headers.get("if-range"), seen):
        return None
    first, last = int(found[1]), seen.size - 1 if found[2] is None else int(found[2])
    if found[2] is not None and last < first:
        return None
    if first >= seen.size:
        raise BlobError("InvalidRange", headers={"Content-Range": f"bytes */{seen.size}"})
    return first, min(last + 1, seen.size)


def is_unchanged(headers: Headers, seen: Seen) -> bool:
    """
    Say whether whoever asks has the file already, by the conditions of their request.

    Raises:
        BlobError: they want it only as another than it is.
    """
    tag, second = marks(seen)["ETag"], seen.modified_ns // 10**9
    match, none_match = headers.get("if-match"), headers.get("if-none-match")
    before, since = _second(headers.get("if-unmodified-since")), _second(headers.get("if-modified-since"))
    if match is not None:
        _refuse_unless(is_met=_names(match, tag))
    elif before is not None:
        _refuse_unless(is_met=second <= before)
    if none_match is not None:
        return _names(none_match, tag)
    return since is not None and second <= since


def _refuse_unless(*, is_met: bool) -> None:
    if not is_met:
        raise BlobError("ConditionNotMet")


def _is_still(condition: str | None, seen: Seen) -> bool:
    """Say whether a file is still the one of which the rest is wanted."""
    return condition is None or condition in marks(seen).values()


def _names(condition: str, tag: str) -> bool:
    """Say whether a list of tags has this one; clients that took it from a list of files leave the quotes out."""
    given = [one.strip().removeprefix("W/").strip('"') for one in condition.split(",")]
    return "*" in given or tag.strip('"') in given


def _second(text: str | None) -> int | None:
    """Read a date; what is none is no condition."""
    try:
        return None if text is None else int(parsedate_to_datetime(text).timestamp())
    except (ValueError, OverflowError, OSError):
        return None
