"""Credentials that all operators of a destination share: nobody is asked for any."""

from collections.abc import Iterator
from typing import ClassVar

from pydantic import Field

from headrace.model.block import SERVER_SET, Block, rule
from headrace.model.problem import Problem


class BasicAuthentication(Block):
    """A user name and a password."""

    url: str | None = Field(None, description="The authorization provider.")
    username: str = Field(min_length=1, description="The user name.")
    password: str = Field(min_length=1, description="The password.")


class Credentials(Block):
    """One set of shared credentials: exactly one of the kinds below."""

    ignored: ClassVar[frozenset[str]] = SERVER_SET

    name: str | None = Field(None, description="A label.")
    type: str | None = Field(None, description="The kind; derived from the one that is there.")
    basic_authentication: BasicAuthentication | None = Field(None, description="A user name and a password.")

    @rule
    def _is_one_kind(self) -> Iterator[Problem]:
        if self.basic_authentication is None:
            yield Problem("missing-field", "", "credentials are of exactly one kind, such as `basicAuthentication`")
