"""How an author says that a partner's answer tells of single entries of a message."""

import re
from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from headrace.model.block import Block, rule
from headrace.model.problem import Problem

#: The path of the whole answer.
WHOLE = "$"
_STEP = r"[^.\[\]]+(?:\[\d{1,9}\])*"
_PATH = re.compile(rf"{_STEP}(?:\.{_STEP})*")


class Matching(Block):
    """A value in a result, and those that it is held against, as texts: `ok`, `429`, `true`."""

    path: str = Field(min_length=1, description="Where the value is in a result, such as `error.code`.")
    values: tuple[str, ...] = Field(
        (), description="The texts that match. A number or a boolean is read as JSON has it."
    )

    @rule
    def _is_a_path(self) -> Iterator[Problem]:
        yield from _misread("path", self.path)


class AnswerResults(Block):
    """The list of results in an answer, each of which tells what became of one entry."""

    path: str = Field(min_length=1, description="Where the list is in the answer; `$` if the answer is the list.")
    by: Literal["index", "id"] = Field(
        "index",
        description="How a result names its entry: by its place in `input.profiles`, from 0, or by an id of it.",
    )
    index: str | None = Field(
        None, description="Where the place is in a result; without it, results stand in the order of the entries."
    )
    id: str | None = Field(None, description="Where the id is in a result. Needed with `by: id`.")
    entry_id: str | None = Field(
        None,
        description="Where the same id is in the target profile, such as `identityMap.email[0].id`. Needed with "
        "`by: id`.",
    )
    names: Literal["all", "failures"] = Field(
        "all",
        description="Whom results name. `all`: every entry, and one that is not named is sent again. `failures`: the "
        "others were taken.",
    )
    success: Matching | None = Field(
        None,
        description="What says that an entry was taken. Without `values`, an HTTP status is read there. Without it all "
        "results are failures.",
    )
    reason: str | None = Field(None, description="Where a result says why; kept with what is parked.")
    retry: Matching | None = Field(None, description="Which failures pass: their entries are sent again.")

    @rule
    def _has_paths(self) -> Iterator[Problem]:
        named = {"index": self.index, "id": self.id, "entryId": self.entry_id, "reason": self.reason}
        for name, path in {"path": self.path if self.path != WHOLE else None, **named}.items():
            yield from _misread(name, path)

    @rule
    def _says_how_entries_are_named(self) -> Iterator[Problem]:
        if self.by == "id":
            for name, path in (("id", self.id), ("entryId", self.entry_id)):
                if path is None:
                    yield Problem("missing-field", f"/{name}", f"results that name entries by id need `{name}`")

    @rule
    def _says_what_success_is(self) -> Iterator[Problem]:
        if self.names == "all" and self.success is None:
            message = "results that name all entries need `success`; add it, or set `names` to `failures`"
            yield Problem("missing-field", "/success", message)


class AnswerCounts(Block):
    """Numbers in an answer that does not say which entries were taken."""

    failed: str = Field(min_length=1, description="Where the number of entries is that were not taken.")
    accepted: str | None = Field(None, description="Where the number of those is that were.")
    otherwise: Literal["bisect", "park"] = Field(
        "bisect",
        description="What becomes of a message of which something was not taken: it is sent again in halves, or parked "
        "whole.",
    )

    @rule
    def _has_paths(self) -> Iterator[Problem]:
        yield from _misread("failed", self.failed)
        yield from _misread("accepted", self.accepted)


class Answers(Block):
    """How answers tell of single entries. They are JSON, and their paths are written like those of a mapping."""

    statuses: tuple[int, ...] = Field(
        (), description="Further statuses whose answers are read so; those of 200 to 299 always are."
    )
    results: AnswerResults | None = Field(None, description="The list of results.")
    counts: AnswerCounts | None = Field(None, description="Numbers, read where no list of results is.")

    @rule
    def _reads_something(self) -> Iterator[Problem]:
        if self.results is None and self.counts is None:
            yield Problem("missing-field", "/results", "`answers` reads nothing; add `results` or `counts`")


def _misread(name: str, path: str | None) -> Iterator[Problem]:
    if path is not None and _PATH.fullmatch(path) is None:
        message = f"{path!r} is not a path; write it like `error.code` or `errors[0].message`"
        yield Problem("invalid-path", f"/{name}", message)
