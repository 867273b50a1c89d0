"""
Regular expressions that authors write for the values of a form.

They may look ahead and behind, so they are read by a backtracking engine. It writes repetitions out when it reads a
pattern, and can take its time over a value: both have a limit here.
"""

import contextlib
import re

import regex

LONGEST = 1000
#: How many items a pattern may come to once its repetitions are written out.
LARGEST = 20_000
#: Seconds that a pattern may take over a value.
MATCHING_TIME = 0.2
#: How often a match that ran out of time is tried: time also goes by while the machine does something else.
ATTEMPTS = 3

_COUNT = re.compile(r"\{([0-9]*)(,([0-9]*))?\}")
_CLASS = re.compile(r"\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
_COMMENT = re.compile(r"\(\?#[^)]*\)")
_LAID_OUT = re.compile(r"(?<!\\)\(\?[A-Za-z0-9]*x")


class NotAPattern(ValueError):
    """A text is not a regular expression, or one that is too large; the message goes on from the field's name."""


def check_pattern(pattern: str) -> None:
    """
    See that a pattern can be read; the empty one stands for none.

    Raises:
        NotAPattern: it cannot.
    """
    if len(pattern) > LONGEST:
        raise NotAPattern(f"is longer than {LONGEST:,} characters; write a shorter one")
    if _LAID_OUT.search(pattern):
        raise NotAPattern("asks for the flag `x`, which is not taken; write it without white space and comments")
    if size_of(pattern) > LARGEST:
        raise NotAPattern(f"repeats more than {LARGEST:,} times in all; lower the numbers in its braces")
    try:
        regex.compile(pattern)
    except (regex.error, RecursionError, OverflowError, ValueError) as error:
        raise NotAPattern(f"is not a regular expression: {error}") from None


def is_match(pattern: str, value: str) -> bool:
    """Say whether a value has an author's pattern; one that takes its time over it does not."""
    for _ in range(ATTEMPTS):
        with contextlib.suppress(TimeoutError):
            return regex.search(pattern, value, timeout=MATCHING_TIME) is not None
    return False


def size_of(pattern: str) -> int:
    """
    Return about how many items a pattern comes to once its repetitions are written out.

    >>> size_of("^[a-z]{3}-(ab){2,4}$")
    12
    """
    sizes, last, place = [0], 0, 0
    while place < len(pattern):
        item, step = _item(pattern, place)
        if item == "(":
            sizes.append(0)
        elif item == ")" and len(sizes) > 1:
            last = max(1, sizes.pop())
            sizes[-1] += last
        elif item.startswith("{"):
            sizes[-1] += last * (_most(item) - 1)
            last *= _most(item)
        elif item:
            last = 1
            sizes[-1] += last
        place += step
    return sum(sizes)


def _item(pattern: str, place: int) -> tuple[str, int]:
    """Return the item at a place, empty for what adds nothing, and how many characters it takes."""
    if comment := _COMMENT.match(pattern, place):
        return "", comment.end() - place
    if pattern[place] == "\\":
        return "\\", 2
    found = _CLASS.match(pattern, place) or _COUNT.match(pattern, place)
    if found:
        return found[0], found.end() - place
    return "" if pattern[place] in "?*+|^$" else pattern[place], 1


def _most(count: str) -> int:
    """Return the greater number of `{m}` or `{m,n}`."""
    match = _COUNT.fullmatch(count)
    numbers = match.group(1, 3) if match is not None else ()
    return max([1, *(int(number) for number in numbers if number)])
