"""
What the name of a file, or of a folder, is made of: text, and parts such as `%SEGMENT_ID%` that stand for something.

    %DESTINATION%_%SEGMENT_ID%_%DATETIME(YYYYMMdd_HHmmss)%_%for the autumn%

What stands between two percent signs and looks like no part is text of the operator's own.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from headrace.model.batch import FILENAME_MACROS, FOLDERNAME_MACROS, FilenameConfig, FilenameMacro, FoldernameMacro
from headrace.model.problem import Problem

#: Bytes of UTF-8 that a name may have, with everything that is added to it: storages and file systems take no more.
LONGEST_NAME = 255
#: Bytes of UTF-8 that a whole path may have: keys of S3 and of Google Cloud Storage are no longer.
LONGEST_PATH = 1024
#: Where nothing else is said, as the original's own connectors name their files.
DEFAULT_FILENAME = "%DESTINATION%_segment%SEGMENT_ID%_%DATETIME(YYYYMMddHHmmss)%"
DEFAULT_OF_GROUPS = "%DESTINATION%_%MERGE_POLICY_ID%_%DATETIME(YYYYMMddHHmmss)%"
DEFAULT_FOLDER = "%DATASET_ID%/%EXPORT_TIME%"
DEFAULT_TIME = "YYYYMMdd_HHmmss"
#: Another name of a part, in the API of the original.
_OTHER_NAMES = {"DESTINATION_NAME": "DESTINATION"}
#: Parts of the path that operators enter: one folder for each audience.
PATH_MACROS = ("SEGMENT_NAME", "SEGMENT_ID")
_TIMES = ("DATETIME", "TIMESTAMP", "EXPORT_TIME")
_PART = re.compile(r"%([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*)(?:\(([^()%]*)\))?%")
_QUOTED = re.compile("%([^%]*)%")
#: A time in numbers, and what may stand between them. After hours, ``MM`` are minutes, as the original writes it.
_TIME = re.compile(r"YYYY|yyyy|MM|mm|dd|DD|HH|ss|SS|[-_.T]|.", re.DOTALL)
_DIRECTIVES = {"YYYY": "%Y", "yyyy": "%Y", "MM": "%m", "mm": "%M", "dd": "%d", "DD": "%d", "HH": "%H"} | {
    "ss": "%S",
    "SS": "%S",
}
_BETWEEN = frozenset("-_.T")
#: What text may be made of that only holds parts together.
_JOINS = "_-. "
Holds = Literal["name", "folder"]


@dataclass(frozen=True, slots=True)
class Part:
    """Something that a name is made of: a macro, with what stands in its brackets, or else ``text``."""

    macro: str | None = None
    text: str = ""

    @property
    def is_join(self) -> bool:
        """Whether it only holds others together."""
        return self.macro is None and not self.text.strip(_JOINS)


def parts_of(template: str) -> tuple[Part, ...]:
    """
    Read a template; what it asks for may be unknown.

    >>> [part.macro or part.text for part in parts_of("%DESTINATION_NAME%_%SEGMENT_ID%_%my own text%")]
    ['DESTINATION', '_', 'SEGMENT_ID', '_my own text']
    """
    return tuple(_read(template))


def _read(template: str) -> Iterator[Part]:
    end = 0
    for found in _PART.finditer(template):
        yield from _text(template[end : found.start()])
        yield Part(_OTHER_NAMES.get(found[1], found[1]), found[2] or "")
        end = found.end()
    yield from _text(template[end:])


def _text(written: str) -> Iterator[Part]:
    text = _QUOTED.sub(r"\1", written)
    if text:
        yield Part(text=text)


def strftime_of(pattern: str) -> str | None:
    """
    Return how Python writes a time by a pattern; ``None``: it is none.

    >>> strftime_of("YYYYMMDD_HHMMSS"), strftime_of("yyyy-MM-dd"), strftime_of("QQ")
    ('%Y%m%d_%H%M%S', '%Y-%m-%d', None)
    """
    written: list[str] = []
    for piece in _TIME.findall(pattern):
        is_minutes = piece == "MM" and "%H" in written and "%M" not in written
        directive = "%M" if is_minutes else _DIRECTIVES.get(piece, piece if piece in _BETWEEN else None)
        if directive is None:
            return None
        written.append(directive)
    return "".join(written) if any(item.startswith("%") for item in written) else None


# -- what is wrong with a template ------------------------------------------------------------------------------------


def problems_of_template(template: str, holds: Holds, where: str) -> Iterator[Problem]:
    """Say what is wrong with a template by itself: of a file's name, or of a folder's."""
    macros = [part.macro for part in parts_of(template) if part.macro is not None]
    yield from _unknown(parts_of(template), holds, where)
    yield from _times(macros, where)
    yield from _twice(macros, where)
    if not template.strip(_JOINS + "/"):
        yield Problem("no-filename", where, f"{_shown(template)} names nothing; write at least one part")
    text = "".join(part.text for part in parts_of(template) if part.macro is None)
    if holds == "name" and "/" in text:
        yield Problem("invalid", where, "the name of a file has no `/`; folders belong into the connection's path")
    if len(text.encode("utf-8", "replace")) > LONGEST_NAME:
        message = f"the text alone is longer than the {LONGEST_NAME} bytes that a name may have; shorten it"
        yield Problem("name-too-long", where, message)


def _unknown(parts: Iterable[Part], holds: Holds, where: str) -> Iterator[Problem]:
    known = FILENAME_MACROS if holds == "name" else FOLDERNAME_MACROS
    offered = [macro for macro in known if macro != "CUSTOM_TEXT"]
    for part in parts:
        if part.macro is not None and part.macro not in offered:
            message = f"`%{part.macro}%` is no part of a {holds}; these are: {', '.join(offered)}, and your own text"
            yield Problem("unknown-macro", where, message)
        elif part.macro is not None and part.text and (part.macro != "DATETIME" or strftime_of(part.text) is None):
            message = f"`{part.macro}({part.text[:40]})` is no time; write `%DATETIME({DEFAULT_TIME})%`"
            yield Problem("unknown-macro", where, message)


def _times(macros: list[str], where: str) -> Iterator[Problem]:
    used = [macro for macro in _TIMES if macro in macros]
    if len(used) > 1:
        yield Problem("two-times", where, f"{_and(used)} exclude each other; keep one of them")


def _twice(macros: list[str], where: str) -> Iterator[Problem]:
    for macro in sorted({macro for macro in macros if macros.count(macro) > 1}):
        yield Problem("macro-twice", where, f"`%{macro}%` is in the name twice; leave one out")


def problems_of_choice(template: str, config: FilenameConfig, where: str) -> Iterator[Problem]:
    """Say where a template is not what an author lets operators choose: the fixed beginning, then what is allowed."""
    parts, fixed = parts_of(template), parts_of(config.default_filename)
    rest = _without_beginning(parts, fixed)
    if rest is None:
        message = f"the name begins with {_shown(config.default_filename)}, which cannot be taken away"
        yield Problem("beginning-missing", where, message)
        return
    yield from _not_offered(rest, config.allowed_filename_append_options, where)


def problems_of_folder_choice(template: str, allowed: tuple[FoldernameMacro, ...], where: str) -> Iterator[Problem]:
    """Say which parts of a dataset's folder are not what an author lets operators choose; nothing said allows all."""
    if allowed:
        yield from _not_offered(parts_of(template.replace("/", "_")), allowed, where)


def _without_beginning(parts: tuple[Part, ...], fixed: tuple[Part, ...]) -> tuple[Part, ...] | None:
    """Return what follows the fixed beginning; ``None``: it does not begin so. Of text, the rest is left."""
    for part in fixed:
        first = parts[0] if parts else Part()
        if part == first:
            parts = parts[1:]
        elif part.macro is None and first.macro is None and first.text.startswith(part.text):
            parts = (Part(text=first.text[len(part.text) :]), *parts[1:])
        else:
            return None
    return parts


def _not_offered(
    parts: Iterable[Part], allowed: tuple[FilenameMacro, ...] | tuple[FoldernameMacro, ...], where: str
) -> Iterator[Problem]:
    for part in parts:
        if part.macro is not None and part.macro not in allowed:
            offered = f"only {_and(allowed)}" if allowed else "nothing"
            yield Problem("not-offered", where, f"`%{part.macro}%` may not be appended here, {offered} may")
        elif part.macro is None and not part.is_join and "CUSTOM_TEXT" not in allowed:
            message = f"text of your own, as {_shown(part.text)}, may not be appended here; leave it out"
            yield Problem("not-offered", where, message)


def split_folder(path: str) -> tuple[str, str]:
    """
    Part a folder's path into what is the same for all files, and the steps that have macros.

    >>> split_folder("drop/2031/%SEGMENT_NAME%/%SEGMENT_ID%"), split_folder("drop/a%20b")
    (('drop/2031', '%SEGMENT_NAME%/%SEGMENT_ID%'), ('drop/a%20b', ''))
    """
    found = _PART.search(path)
    if found is None:
        return path, ""
    fixed, slash, begun = path[: found.start()].rpartition("/")
    return fixed or slash, (begun + path[found.start() :]).strip("/")


def problems_of_path(path: str, where: str) -> Iterator[Problem]:
    """Say what is wrong with a folder's path: it leads nowhere else, and macros stand at its end alone."""
    fixed, tail = split_folder(path)
    steps = fixed.partition("://")[2].split("/")[1:] if "://" in fixed else fixed.split("/")
    if any(step in (".", "..") for step in steps):
        message = f"{_shown(fixed)} leads out of its folder; write the path without `.` and `..`"
        yield Problem("leaves-the-folder", where, message)
    if not fixed.isprintable() or "\\" in fixed:
        yield Problem("invalid", where, "a path has `/` between its steps, and neither `\\` nor control characters")
    room = LONGEST_PATH - (LONGEST_NAME + 1) * (1 + len(tail.split("/")) * bool(tail))
    if len(fixed.encode("utf-8", "replace")) > room:
        message = f"the path leaves no room for names: it has at most {room} bytes beside what is added; shorten it"
        yield Problem("name-too-long", where, message)
    yield from _misplaced(parts_of(tail), where)


def _misplaced(tail: tuple[Part, ...], where: str) -> Iterator[Problem]:
    for place, part in enumerate(tail):
        if part.macro is None and place > 0 and part.text.strip("/"):
            yield Problem(
                "macro-inside", where, f"nothing but `/` follows a macro; {_shown(part.text)} stands after one"
            )
        elif part.macro is not None and (part.macro not in PATH_MACROS or part.text):
            message = f"`%{part.macro}%` is no part of a folder's path; these are: {', '.join(PATH_MACROS)}"
            yield Problem("unknown-macro", where, message)


# -- making one -------------------------------------------------------------------------------------------------------


def offered(config: FilenameConfig) -> tuple[FilenameMacro, ...]:
    """Return what operators may append to the fixed beginning, in the order in which they see it."""
    return tuple(macro for macro in FILENAME_MACROS if macro in config.allowed_filename_append_options)


def offered_for_folders(allowed: tuple[FoldernameMacro, ...]) -> tuple[FoldernameMacro, ...]:
    """Return what operators may put into the folder of a dataset, in the order in which they see it."""
    return tuple(macro for macro in FOLDERNAME_MACROS if macro in allowed or not allowed)


def template_of(config: FilenameConfig, chosen: Iterable[str], text: str = "") -> str:
    """
    Return the template of an operator's choice: the fixed beginning, and what is chosen in the order it is offered.

    ``text`` stands where `CUSTOM_TEXT` was chosen; without one, nothing does.

    >>> config = FilenameConfig.model_construct(
    ...     default_filename="%DESTINATION%", allowed_filename_append_options=("DATETIME", "CUSTOM_TEXT", "SEGMENT_ID")
    ... )
    >>> template_of(config, ["CUSTOM_TEXT", "DATETIME"], "autumn")
    '%DESTINATION%_%DATETIME(YYYYMMdd_HHmmss)%_autumn'
    """
    wanted = set(chosen)
    appended = (_written(macro, text) for macro in offered(config) if macro in wanted)
    return "_".join(part for part in (config.default_filename, *appended) if part)


def default_template(config: FilenameConfig, *, is_grouped: bool = False) -> str:
    """Return the template in force where an operator wrote none."""
    preset = template_of(config, config.default_filename_append_options)
    return preset or (DEFAULT_OF_GROUPS if is_grouped else DEFAULT_FILENAME)


def folder_template_of(chosen: Iterable[str], text: str = "") -> str:
    """
    Return the template of a dataset's folder; the time of the export begins a folder of its own.

    >>> folder_template_of(["EXPORT_TIME", "DATASET_ID"])
    '%DATASET_ID%/%EXPORT_TIME%'
    """
    wanted = set(chosen)
    first = [_written(macro, text) for macro in FOLDERNAME_MACROS if macro in wanted and macro != "EXPORT_TIME"]
    last = ["%EXPORT_TIME%"] if "EXPORT_TIME" in wanted else []
    return "/".join(["_".join(part for part in first if part)] * bool(first) + last)


def _written(macro: str, text: str) -> str:
    if macro == "CUSTOM_TEXT":
        return text.replace("%", "_")
    return f"%DATETIME({DEFAULT_TIME})%" if macro == "DATETIME" else f"%{macro}%"


def _shown(text: str) -> str:
    return f"`{text[:60]}`"


def _and(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
