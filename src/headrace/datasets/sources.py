"""
Databases, catalogs and buckets that whoever runs Headrace has declared, by name, in a file of theirs.

No caller of the API types an address: they name one of these. Passwords stand in the environment, not in the file, and
neither comes into the store: ``url = "postgresql://reader:${CRM_PASSWORD}@db.internal/crm"``.
"""

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from headrace.errors import AccountError, OperationError

SETTING = "HEADRACE_DATASET_SOURCES"
KINDS = ("sqlite", "postgresql", "iceberg", "s3")
#: How locations in object storage begin.
SCHEME = "s3://"
_OF_A_BUCKET = ("endpoint", "region", "access_key", "secret_key")
_OTHERS = ("organization", "sandbox", "warehouse", *_OF_A_BUCKET)
_BUCKET = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[^?#\\]*)?")
_VARIABLE = re.compile(r"\$\{(\w+)\}")


class UnknownSource(AccountError):
    """There is no such source for this sandbox."""

    code = "no-such-source"


@dataclass(frozen=True, slots=True)
class Source:
    """A database, a catalog or a bucket: its kind, its address, and whose it is; an empty name is anybody's."""

    name: str
    kind: str
    url: str = field(repr=False)
    organization: str = ""
    sandbox: str = ""
    warehouse: str = ""
    endpoint: str = ""
    region: str = ""
    access_key: str = ""
    secret_key: str = field(default="", repr=False)

    def is_for(self, organization: str, sandbox: str) -> bool:
        """Say whether a sandbox may read it."""
        return self.organization in ("", organization) and self.sandbox in ("", sandbox)


@dataclass(frozen=True, slots=True)
class Sources:
    """The sources of one Headrace, or those of one of its sandboxes."""

    sources: tuple[Source, ...] = ()

    @classmethod
    def read(cls, path: Path | None, environment: Mapping[str, str] = os.environ) -> "Sources":
        """
        Read the file of sources; without one there are none.

        Raises:
            OperationError: it cannot be read, or says something that is not right; it names the source.
        """
        if path is None:
            return cls()
        try:
            tables = tomllib.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise OperationError(f"{SETTING}: {path} cannot be read as TOML: {error}") from None
        return cls(tuple(_source(name, table, environment) for name, table in tables.items()))

    def of(self, organization: str, sandbox: str) -> "Sources":
        """Return the sources that a sandbox may read."""
        return Sources(tuple(source for source in self.sources if source.is_for(organization, sandbox)))

    def get(self, name: str, kinds: tuple[str, ...]) -> Source:
        """
        Return a source of one of some kinds.

        Raises:
            UnknownSource: there is none.
        """
        for source in self.sources:
            if source.name == name and source.kind in kinds:
                return source
        known = ", ".join(sorted(source.name for source in self.sources if source.kind in kinds)) or "none"
        raise UnknownSource(f"{name[:80]!r} is no source of {' or '.join(kinds)} for this sandbox; these are: {known}")

    def of_kind(self, kind: str) -> Iterator[Source]:
        """Yield the sources of a kind."""
        return (source for source in self.sources if source.kind == kind)

    def secrets(self) -> Iterator[str]:
        """Yield the passwords in the addresses, as they are written and as they are read, and secret keys."""
        for source in self.sources:
            password = urlsplit(source.url).password or ""
            yield from (password, unquote(password), *([source.secret_key] if source.secret_key else []))


def _source(name: str, table: Any, environment: Mapping[str, str]) -> Source:
    if not isinstance(table, dict) or not all(isinstance(value, str) for value in table.values()):
        raise OperationError(f"{SETTING}: write [{name}] with `type` and `url`, both texts")
    unknown = table.keys() - {"type", "url", *_OTHERS}
    if unknown or table.get("type") not in KINDS or "url" not in table:
        said = f"; `{min(unknown)}` is not known" if unknown else ""
        raise OperationError(f"{SETTING}: [{name}] needs `type` ({', '.join(KINDS)}) and `url`{said}")

    def valued(found: re.Match[str]) -> str:
        if found[1] not in environment:
            raise OperationError(f"{SETTING}: [{name}] names ${{{found[1]}}}, which the environment does not have")
        return environment[found[1]]

    others = {key: _VARIABLE.sub(valued, table.get(key, "")) for key in _OTHERS}
    source = Source(name, table["type"], _VARIABLE.sub(valued, table["url"]), **others)
    return _bucket(source) if source.kind == "s3" else _plain(source)


def _bucket(source: Source) -> Source:
    """Return a bucket with all that it needs."""
    if not _BUCKET.fullmatch(source.url):
        raise OperationError(
            f"{SETTING}: the `url` of [{source.name}] is a bucket and, if need be, a prefix: s3://lake/crm"
        )
    if bool(source.access_key) != bool(source.secret_key):
        raise OperationError(f"{SETTING}: [{source.name}] needs `access_key` and `secret_key`, or neither of them")
    region = source.region or "us-east-1"
    return replace(source, region=region, endpoint=source.endpoint or f"https://s3.{region}.amazonaws.com")


def _plain(source: Source) -> Source:
    if named := [key for key in _OF_A_BUCKET if getattr(source, key)]:
        raise OperationError(f"{SETTING}: `{named[0]}` of [{source.name}] is for the type s3: leave it out")
    return source
