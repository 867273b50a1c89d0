"""
Makes records: DuckDB puts them together from the words, in parts, several at a time, and hands them over in order.

A record is a function of the seed, its number and the day alone. Memory holds the parts under way and no more.
"""

import hashlib
import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import accumulate
from typing import Any, Final, Literal

import duckdb
import pyarrow as pa

from headrace.testkit.people.audiences import OF_ACCOUNTS, OF_PEOPLE, OF_PROSPECTS, Audience, Members

Kind = Literal["profiles", "accounts", "prospects"]
#: Which of a day's records.
Sent = Literal["all", "punctual", "late", "repeated"]

#: Records that are made at a time, and how many makers there are.
PART: Final = 25_000
MAKERS: Final = 2
#: More would be the same people again.
MOST: Final = 1 << 32
#: Memberships in audiences from elsewhere hold for a month only, unless they say how long.
_UNTIL: Final = ',"validUntil":"2036-01-01T00:00:00Z"'
_AUDIENCES: Final[dict[Kind, dict[Audience, Members]]] = {
    "profiles": OF_PEOPLE,
    "accounts": OF_ACCOUNTS,
    "prospects": OF_PROSPECTS,
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    Which records to make: ``count`` of a seed from number ``start``, as they are on a day.

    From day 1 on only those are made of whom something has changed on that day, or whose number is ``known`` or above:
    they are new. Three in a hundred are ``late``, the others ``punctual``; two in a hundred are sent ``repeated``.
    ``is_numbered``: they say which day it is, as the sender's sequence.
    """

    count: int
    seed: int = 1
    start: int = 0
    kind: Kind = "profiles"
    day: int = 0
    known: int = MOST
    only: Sent = "all"
    is_numbered: bool = False

    def __post_init__(self) -> None:
        if self.start + self.count > MOST:
            raise ValueError(f"a seed has {MOST:,} people, not {self.start + self.count:,}: take another seed for more")


def made(wanted: Wanted, columns: str) -> Iterator[pa.Table]:
    """Yield parts in order, of columns that are SQL of ``line``: the record as JSON, with the end of the line."""
    engine, end = _engine(), wanted.start + wanted.count
    query = f"SELECT {columns} FROM ({_query(wanted.kind)})"  # noqa: S608 - our own words
    with ThreadPoolExecutor(MAKERS) as makers:
        waiting: deque[Future[pa.Table]] = deque()
        try:
            for first in range(wanted.start, max(end, wanted.start + 1), PART):
                waiting.append(makers.submit(_part, engine, query, _given(wanted, first, min(first + PART, end))))
                if len(waiting) > MAKERS:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for part in waiting:
                part.cancel()


def _part(engine: duckdb.DuckDBPyConnection, query: str, given: dict[str, Any]) -> pa.Table:
    with engine.cursor() as cursor:
        cursor.execute(_ODDS)
        return cursor.sql(query, params=given).to_arrow_table()


def _given(wanted: Wanted, first: int, last: int) -> dict[str, Any]:
    """Return what the query is given to make one part."""
    given: dict[str, Any] = {"salt": _salt(wanted.kind, wanted.seed), "first": first, "last": last}
    if wanted.kind == "profiles":
        given |= {"employers": _salt("accounts", wanted.seed)}
        given |= {"day": wanted.day, "known": wanted.known, "only": wanted.only, "numbered": wanted.is_numbered}
    return given


def _salt(kind: Kind, seed: int) -> int:
    return _hash(f"{kind} {seed}")


def _hash(text: str) -> int:
    """Return 32 bits that a text always has."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


#: What each purpose makes of a soul: see ``luck.sql``.
_ODDS: Final = f"SET VARIABLE odds = {[_hash(f'purpose {number}') for number in range(1, 201)]}::UBIGINT[]"


@cache
def _engine() -> duckdb.DuckDBPyConnection:
    """Return the engine, with words and luck; each maker takes a cursor of it."""
    engine = duckdb.connect(":memory:", config={"threads": 1, "memory_limit": "1GB"})
    engine.execute(_ODDS)
    engine.execute(_text("luck.sql"))
    words = pa.table({name: [value] for name, value in _words().items()})
    engine.register("given_words", words)
    engine.execute("CREATE TABLE words AS SELECT * FROM given_words")
    return engine


@cache
def _query(kind: Kind) -> str:
    return _text(f"{kind}.sql").replace("{memberships}", _memberships(_AUDIENCES[kind]))


def _text(name: str) -> str:
    return files("headrace.testkit.people").joinpath(name).read_text(encoding="utf-8")


def _memberships(audiences: Mapping[Audience, Members]) -> str:
    """Write the SQL of the memberships: the audiences of each namespace, each by its draw."""
    spaces: dict[str, list[str]] = {}
    for audience, members in audiences.items():
        until = "" if audience.namespace == "ups" else _UNTIL
        bounds = f"{round(members.low * MOST)}, {round(members.high * MOST)}"
        draw = members.draw
        spaces.setdefault(audience.namespace, []).append(
            f"membership('{audience.id}', {draw}_now, {draw}_was, {bounds}, {draw}_since, '{until}')"
        )
    return ",\n".join(f"braces('{space}', concat_ws(',', {', '.join(all_)}))" for space, all_ in spaces.items())


def _words() -> dict[str, Any]:
    """Return the words as the SQL wants them: as they stand in JSON, each kind in one list for all countries."""
    pools = json.loads(_text("pools.json"))
    countries = pools["countries"]
    words: dict[str, Any] = {
        "homes": [place for place, country in enumerate(countries, 1) for _ in range(country["weight"])],
        "countries": _quoted(country["name"] for country in countries),
        "codes": [country["code"] for country in countries],
        "languages": [country["language"] for country in countries],
        "free_digits": [country["freeDigits"] for country in countries],
        "free_numbers": [10 ** country["freeDigits"] for country in countries],
        "domains": ["example.com", "example.com", "example.org", "mail.example.net"],
        "networks": ["192.0.2.", "198.51.100.", "203.0.113."],
        "states": [f',"authenticatedState":"{state}"' for state in ("authenticated", "loggedOut", "ambiguous")],
        "partners": ["Example Data Partner", "Panel of Example"],
    }
    for name in ("employers", "industries", "nicknames", "interests"):
        words[name] = _quoted(pools[name])
    for name, write in _WRITTEN.items():
        lists = [[write(word) for word in country[name]] for country in countries]
        column = _COLUMNS.get(name, name)
        words[column] = [word for one in lists for word in one]
        words[f"{column}_from"] = list(accumulate(map(len, lists), initial=0))
    return words


def _quote(text: str) -> str:
    """Return a text as it stands between the quotes of JSON."""
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _quoted(texts: Any) -> list[str]:
    return [_quote(text) for text in texts]


def _name(pair: list[str]) -> dict[str, str]:
    return {"written": _quote(pair[0]), "plain": pair[1]}


def _city(pair: list[str]) -> str:
    return f'"city":"{_quote(pair[0])}","postalCode":"{_quote(pair[1])}"'


#: The words of each country, and how each is written.
_WRITTEN: Final[dict[str, Callable[[Any], Any]]] = {
    "mobile": str,
    "firstNames": _name,
    "lastNames": _name,
    "cities": _city,
    "streets": _quote,
}
_COLUMNS: Final = {"firstNames": "first_names", "lastNames": "last_names"}
