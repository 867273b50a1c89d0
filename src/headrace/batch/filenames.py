"""
What files are called, and in which folders they lie.

Whatever stands in the names of audiences, destinations and people, a name is one step of a path, has at most 255 bytes
of UTF-8, and leads nowhere else.

1. *Expand*: each part of the template becomes its value, with what no name may hold replaced by ``_``.
2. *Fit*: where the whole would be too long, the names in it are cut, the longest first; ids, times and the operator's
   own text stay. Where that is not enough, the end gives way to a hash of all of it.
3. *Tell apart*: where files of two audiences would lie in one place, both names get a hash of their audience's id.
"""

import re
import unicodedata
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import TypeVar

from headrace.model.filename import DEFAULT_TIME, LONGEST_NAME, Part, parts_of, strftime_of

#: What files are about: an audience by its namespace and id, or a merge policy.
K = TypeVar("K", bound=tuple[str, ...])

#: Room for the number of a part, `_2` to `_999999`, which all files of an export leave, so that their names agree.
_NUMBER = len("_999999")
_REPLACED = "_"
_MOST_KEPT = 10_000
#: What Windows, shells, URLs or a reader of paths would take for something else than a letter.
_SPECIAL = frozenset('/\\:*?"<>|%')
#: Look like a dot or a slash, and are no compatible form of one; and what shows nothing.
_LOOKALIKES = frozenset(
    "\u3002\u0701\u0702\ua4f8\ua4ff\U00010a50\U0001d16d"
    "\u2044\u2215\u2216\u29f5\u29f6\u29f7\u29f8\u29f9\u2571\u2572\u2afb\u2afd\u2e4a\U0001f67c\U0001f67d"
    "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"
)
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_NO_TEXT = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\\\\ud800-\udfff]")
#: Names of devices under Windows, whatever end they have.
_DEVICES = frozenset(
    {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"}
    | {f"{port}{number}" for port in ("COM", "LPT") for number in "0123456789¹²³"}
)
#: Macros whose value may be cut: what people call things. The rest makes a name the only one of its kind.
_NAMES = frozenset(
    {
        "DESTINATION",
        "SEGMENT_NAME",
        "DESTINATION_INSTANCE_NAME",
        "ORGANIZATION_NAME",
        "SANDBOX_NAME",
        "MERGE_POLICY_NAME",
        "DATASET_NAME",
    }
)


@dataclass(frozen=True, slots=True)
class Values:
    """
    What the parts of a name come to, for one file.

    ``moment`` is that of the run, in milliseconds since 1970: the same for all its files and all attempts, so that
    trying again writes to the same names.
    """

    moment: int
    destination: str = ""
    instance_id: str = ""
    instance_name: str = ""
    organization: str = ""
    sandbox: str = ""
    audience_id: str = ""
    audience_name: str = ""
    merge_policy_id: str = ""
    merge_policy_name: str = ""
    dataset_id: str = ""
    dataset_name: str = ""

    def of(self, part: Part) -> str:
        """Return what a part of a template comes to; nothing for one that there is not."""
        if part.macro is None:
            return part.text
        if part.macro == "TIMESTAMP":
            return str(self.moment // 1000)
        if part.macro == "EXPORT_TIME":
            return f"exportTime={self._time('YYYYMMddHHmm')}"
        if part.macro == "DATETIME":
            return self._time(part.text or DEFAULT_TIME)
        return str(getattr(self, _FIELDS[part.macro])) if part.macro in _FIELDS else ""

    def _time(self, pattern: str) -> str:
        written = strftime_of(pattern) or strftime_of(DEFAULT_TIME)
        assert written is not None
        return datetime.fromtimestamp(self.moment / 1000, UTC).strftime(written)


_FIELDS = {
    "DESTINATION": "destination",
    "SEGMENT_ID": "audience_id",
    "SEGMENT_NAME": "audience_name",
    "DESTINATION_INSTANCE_ID": "instance_id",
    "DESTINATION_INSTANCE_NAME": "instance_name",
    "ORGANIZATION_NAME": "organization",
    "SANDBOX_NAME": "sandbox",
    "MERGE_POLICY_ID": "merge_policy_id",
    "MERGE_POLICY_NAME": "merge_policy_name",
    "DATASET_ID": "dataset_id",
    "DATASET_NAME": "dataset_name",
}


# -- one step of a path -----------------------------------------------------------------------------------------------


def clean(text: str, longest: int = LONGEST_NAME) -> str:
    """
    Return a text as one step of a path, of at most so many bytes: what it may not hold is ``_``.

    A step that is clean stays as it is.

    >>> clean("../etc/passwd"), clean("-rf"), clean("nul.csv"), clean("Größe 5/6"), clean("")
    ('___etc_passwd', '_rf', '_ul.csv', 'Größe 5_6', '_')
    """
    return _at_the_ends(_cut(_replaced(text), longest))


def _replaced(text: str) -> str:
    return unicodedata.normalize("NFC", text).translate(_LETTERS).replace("..", "._")


def _is_harmless(character: str) -> bool:
    """Say whether a name may hold a character."""
    plain = unicodedata.normalize("NFKC", character)
    is_special = character in _SPECIAL or plain in _LOOKALIKES or character in _LOOKALIKES
    is_unseen = unicodedata.category(character) in _UNSEEN or (character != " " and plain.isspace())
    is_disguised = plain != character and any(mark in _SPECIAL or mark == "." for mark in plain)
    return not (is_special or is_unseen or is_disguised)


class _Letters(dict[int, str]):
    """What is written for each character; it is found out once for those that are met first."""

    def __missing__(self, code: int) -> str:
        written = chr(code) if _is_harmless(chr(code)) else _REPLACED
        if len(self) < _MOST_KEPT:
            self[code] = written
        return written


_LETTERS = _Letters()


def _cut(text: str, longest: int) -> str:
    """Return as much of a text as has so many bytes, and no mark apart from its letter."""
    if len(text.encode()) <= longest:
        return text
    kept = text.encode()[:longest].decode("utf-8", "ignore")
    end = len(kept)
    while end and unicodedata.category(text[end]).startswith("M"):
        end -= 1
    return kept[:end]


def _at_the_ends(step: str) -> str:
    """Mend a step that begins or ends as none should; it gets no longer."""
    if not step or step[0] in "-.~ ":
        step = _REPLACED + step[1:]
    end = len(step.rstrip(". "))
    step = step[:end] + _REPLACED * (len(step) - end)
    is_device = step.partition(".")[0].rstrip().upper() in _DEVICES
    return _REPLACED + step[1:] if is_device else step


# -- names ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Naming:
    """How the files of an export are called: by which template, and with what at the end."""

    template: str
    extension: str

    def stem(self, values: Values, mark: str = "") -> str:
        """Return what stands before the number of a part, with a mark at its end."""
        room = LONGEST_NAME - _NUMBER - len(self.extension.encode()) - len(mark)
        return clean(_fitted(tuple(_expanded(self.template, values)), room) + mark, room + len(mark))

    def name(self, stem: str, part: int = 1) -> str:
        """
        Return the name of a part; the first has no number.

        >>> Naming("", ".csv").name("harbor"), Naming("", ".csv").name("harbor", 2)
        ('harbor.csv', 'harbor_2.csv')
        """
        return clean(f"{stem}{'' if part == 1 else f'_{part}'}{self.extension}")

    def path(self, place: "Place", part: int = 1) -> str:
        """Return where a part lies, below the storage's folder."""
        return joined(place.folder, self.name(place.stem, part))


@dataclass(frozen=True, slots=True)
class _Piece:
    text: str
    is_cuttable: bool


def _expanded(template: str, values: Values) -> Iterator[_Piece]:
    for part in parts_of(template):
        yield _Piece(_replaced(values.of(part)), part.macro in _NAMES)


def _fitted(pieces: tuple[_Piece, ...], room: int) -> str:
    """Join pieces to at most so many bytes: names are cut to one length, and no more than has to be."""
    whole = "".join(piece.text for piece in pieces)
    if len(whole.encode()) <= room:
        return whole
    most = bisect_right(range(1, room + 1), room, key=lambda most: len(_shortened(pieces, most).encode()))
    if most:
        return _shortened(pieces, most)
    mark = mark_of(whole)
    return _cut(whole, room - len(mark)) + mark


def _shortened(pieces: tuple[_Piece, ...], most: int) -> str:
    """Join pieces, of names no more than so many bytes each; more is never shorter."""
    return "".join(_cut(piece.text, most) if piece.is_cuttable else piece.text for piece in pieces)


def mark_of(*ids: str) -> str:
    """Return what tells something apart from others of its name: the same one each time."""
    return "_" + sha256("\0".join(ids).encode("utf-8", "surrogatepass")).hexdigest()[:16]


# -- names of one run -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Place:
    """Where the files of one audience lie: a folder, relative to the storage's, and what their names begin with."""

    folder: str
    stem: str


def places(
    naming: Naming, folder: str, wanted: Mapping[K, Values], templates: Mapping[K, str] | None = None
) -> dict[K, Place]:
    """
    Say where the files of each audience of a run lie, no two of them in one place, whatever their parts are numbered.

    ``templates`` has those that are not the naming's own.

    Letters that differ only in case count as one. Who would share a place gets a mark, each of them: which has it does
    not hang on their order, and no file takes the place of another's.
    """
    folders = {key: folder_of(folder, values) for key, values in wanted.items()}
    namings = {key: replace(naming, template=(templates or {}).get(key, naming.template)) for key in wanted}
    marked: set[K] = set()
    while True:
        found = {
            key: Place(folders[key], namings[key].stem(values, mark_of(*key) if key in marked else ""))
            for key, values in wanted.items()
        }
        shared = shared_places(found) - marked
        if not shared:
            return found
        marked |= shared


def shared_places(found: Mapping[K, Place]) -> set[K]:
    """Return who shares a place with another, as it is or by the number of a part."""
    folded = {key: (place.folder.casefold(), place.stem.casefold()) for key, place in found.items()}
    counts = Counter(folded.values())
    shared = {key for key, place in folded.items() if counts[place] > 1}
    for key, (folder, stem) in folded.items():
        for shorter in _without_numbers(stem):
            if (folder, shorter) in counts:
                shared |= {key, *(other for other, place in folded.items() if place == (folder, shorter))}
    return shared


def _without_numbers(stem: str) -> Iterator[str]:
    """Yield the stem of which another would be a part: `harbor` for `harbor_2`."""
    before, _, number = stem.rpartition("_")
    if before and number.isascii() and number.isdigit() and number[0] != "0" and 1 < int(number[:_NUMBER]) < 10**6:
        yield before


# -- folders ----------------------------------------------------------------------------------------------------------


def folder_of(template: str, values: Values) -> str:
    """
    Return the folder that a template comes to, each step of it clean; no template is the folder itself.

    >>> folder_of("%SEGMENT_NAME%/%SEGMENT_ID%", Values(0, audience_name="../Night", audience_id="seg-1"))
    '___Night/seg-1'
    """
    written = (step for step in template.split("/") if step)
    return "/".join(clean(_fitted(tuple(_expanded(step, values)), LONGEST_NAME)) for step in written)


# -- the proof --------------------------------------------------------------------------------------------------------


def inside(prefix: str, path: str) -> bool:
    """
    Say whether a path lies below its prefix, for keys, servers and file systems alike: none of its steps leads away.

    >>> inside("drop", "drop/a.csv"), inside("drop", "drop/../a.csv"), inside("drop", "dropped/a.csv")
    (True, False, False)
    """
    base = prefix.rstrip("/")
    root = f"{base}/" if prefix else ""
    steps = path[len(root) :].split("/")
    return path.startswith(root) and all(map(_is_step, steps)) and not _leads_up(base)


def _is_step(step: str) -> bool:
    is_text = step not in ("", ".", "..") and _NO_TEXT.search(step) is None
    return is_text and len(step.encode()) <= LONGEST_NAME


def _leads_up(folder: str) -> bool:
    return any(step in (".", "..") for step in folder.replace("\\", "/").split("/"))


def joined(folder: str, *steps: str) -> str:
    """
    Put what there is of some steps below a folder.

    >>> joined("", "seg-1", "a.csv"), joined("/drop/", "", "a.csv")
    ('seg-1/a.csv', '/drop/a.csv')
    """
    below = "/".join(step for step in steps if step)
    return f"{folder.rstrip('/')}/{below}" if folder else below
