"""
A recipe: everything that a destination's messages are composed from, as plain data.

It goes to the child processes that render, so it is made of what a message between processes can carry, and reading it
needs none of the machinery that reads configuration.
"""

import hashlib
from functools import cached_property
from typing import Any

import msgspec

from headrace.mapping import AttributeRow, IdentityRow


class TextRecipe(msgspec.Struct, frozen=True):
    """A templated value. ``escaping`` is ``None`` for a text that is no template."""

    value: str
    name: str
    escaping: str | None = None


class HeaderRecipe(msgspec.Struct, frozen=True):
    """A header and its value."""

    header: str
    value: TextRecipe


class MappedAudience(msgspec.Struct, frozen=True):
    """
    An audience that a dataflow sends. Times are seconds since 1970, as templates are shown them.

    ``is_leaving``: nobody is a member of it any more, as far as the partner is to know. ``has_ended``: of it is told
    only what was accepted before.
    """

    number: int
    namespace: str
    id: str
    name: str | None
    alias: str | None
    created_at: int
    updated_at: int
    mapping_created_at: int
    mapping_updated_at: int
    is_leaving: bool = False
    has_ended: bool = False

    def as_before_leaving(self) -> "MappedAudience":
        """Return it as it was when people were members of it."""
        return msgspec.structs.replace(self, is_leaving=False)


class Recipe(msgspec.Struct, frozen=True, dict=True):
    """
    What one dataflow's messages are composed from.

    ``version`` names the configuration and mapping in force: it is part of every message's id. ``identity_groups`` are
    numbered from 1; none: identities stay together. ``is_whole``: people are told with all identities. ``facts`` are
    what templates see under ``destination``. ``entry_id``: where target profiles have the id that answers name them by.
    """

    dataflow: str
    version: str
    method: str
    url: TextRecipe
    max_users: int
    attributes: tuple[AttributeRow, ...]
    identities: tuple[IdentityRow, ...]
    namespaces: tuple[str, ...]
    audiences: tuple[MappedAudience, ...]
    predefined: bool = False
    identity_groups: tuple[tuple[str, ...], ...] = ()
    splits: bool = False
    is_whole: bool = False
    content_type: str | None = None
    headers: tuple[HeaderRecipe, ...] = ()
    query: TextRecipe | None = None
    body: TextRecipe | None = None
    id_header: str | None = None
    entry_id: str | None = None
    facts: dict[str, Any] = {}
    customer_data: dict[str, Any] = {}
    auth_data: dict[str, str] = {}

    @cached_property
    def written(self) -> bytes:
        """The recipe as a message between processes carries it."""
        return msgspec.msgpack.encode(self)

    @cached_property
    def reads_auth_data(self) -> bool:
        """Whether a text of it may read ``authData``."""
        return b"authData" in self.written

    @cached_property
    def reads_phones(self) -> bool:
        """Whether telephone numbers are read for it."""
        return any(row.hashes_phones for row in self.identities)

    @cached_property
    def id(self) -> str:
        """A name for exactly this recipe."""
        return hashlib.sha256(self.written).hexdigest()[:24]
