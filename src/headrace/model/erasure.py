"""Whom an erasure is of."""

import re
from collections.abc import Iterator

from pydantic import Field

from headrace.model.block import Block, rule
from headrace.model.problem import Problem
from headrace.model.profile import LONGEST_KEY

_KEY = re.compile("^[^:]*:.+")


class ErasedIdentity(Block):
    """An identity."""

    namespace: str = Field(min_length=1, max_length=LONGEST_KEY, description="The namespace: `Email`.")
    id: str = Field(min_length=1, max_length=LONGEST_KEY, description="The id in it.")


class ErasureRequest(Block):
    """Whom to erase: one person by their key, or whoever has an identity."""

    profile: str | None = Field(
        None,
        min_length=2,
        max_length=LONGEST_KEY,
        description="The key of one person: `crmId:7`, or `:` and their `profileId`.",
    )
    identity: ErasedIdentity | None = Field(None, description="Everybody who has this identity.")

    @rule
    def _is_a_key(self) -> Iterator[Problem]:
        if self.profile is not None and not _KEY.match(self.profile):
            message = "`profile` is the key of a person: `crmId:7`, a namespace and an id, or `:7` for a `profileId`"
            yield Problem("invalid", "/profile", message)

    @rule
    def _says_whom(self) -> Iterator[Problem]:
        if (self.profile is None) == (self.identity is None):
            yield Problem("one-of-two", "/profile", "say `profile` or `identity`, and not both")
