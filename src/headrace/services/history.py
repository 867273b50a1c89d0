"""The versions that an object has had: listed, read, compared, brought back."""

from collections.abc import Iterator
from typing import Any

from headrace.clock import Clock
from headrace.connect.keyring import Keyring
from headrace.errors import NotFound
from headrace.model.block import pointer
from headrace.services import authoring, declared, sealing
from headrace.services.authoring import Authored
from headrace.services.caller import Caller
from headrace.services.governance.holding import held
from headrace.services.sealing import Safe
from headrace.store import documents
from headrace.store.database import Store, Transaction
from headrace.store.documents import Version

Change = dict[str, Any]
_ABSENT = object()


async def versions_of(
    store: Store, caller: Caller, noun: str, id_: str, most: int, before: int | None
) -> list[Version]:
    """
    Return the versions of an object without their documents, newest first; also of one that is deleted.

    Raises:
        NotFound: this sandbox never had it.
    """

    def look(tx: Transaction) -> list[Version]:
        _newest(tx, caller, noun, id_)
        return documents.versions_of(tx, caller.number, noun, id_, most, before)

    return await store.read(look)


async def version_of(store: Store, caller: Caller, noun: str, id_: str, number: int) -> Version:
    """
    Return one version of an object, as it is stored.

    Raises:
        NotFound: there is no such version.
    """
    return await store.read(lambda tx: _version(tx, caller, noun, id_, number))


async def diff(
    store: Store, keyring: Keyring, caller: Caller, noun: str, id_: str, earlier: int | None, later: int | None
) -> tuple[int, int, list[Change]]:
    """
    Return the numbers of two versions of an object, the last two if none are named, and what has changed between them.

    Raises:
        NotFound: there is no such version.
    """

    def look(tx: Transaction) -> tuple[int, int, list[Change]]:
        last = later if later is not None else _newest(tx, caller, noun, id_)
        first = earlier if earlier is not None else last - 1
        safe = Safe(keyring, caller.tenant)
        before, after = (_marked(tx, safe, caller, noun, id_, number) for number in (first, last))
        return first, last, [*changes(before, after)]

    return await store.read(look)


async def restore(
    store: Store, clock: Clock, keyring: Keyring, caller: Caller, noun: str, id_: str, number: int
) -> Authored:
    """
    Make an earlier version the newest, also of an object that is deleted, if it is still right.

    Raises:
        ConfigurationError: with every problem it has now.
        NotFound: there is no such version.
    """
    safe, now = Safe(keyring, caller.tenant), clock.now()

    def work(tx: Transaction) -> Authored:
        document = _version(tx, caller, noun, id_, number).document
        if document is None:
            raise NotFound(f"version {number} is the deletion of {id_!r}; restore one before it")
        known = documents.get(tx, caller.number, noun, id_)
        problems = authoring.judge(tx, safe, caller, noun, id_, document, known, strict=False)
        declared.refuse(problems)
        if known is not None:
            with held(tx, caller.tenant):
                stored = declared.replace(tx, caller, noun, known, document, now, "restore")
        else:
            stored = documents.revive(tx, caller.number, noun, id_, document, now, caller.actor)
            declared.note(tx, caller, "restore", noun, stored, now)
        return Authored(stored, tuple(problems))

    return await store.write(work)


def changes(before: Any, after: Any, path: tuple[int | str, ...] = ()) -> Iterator[Change]:
    """
    Say what makes one JSON value another.

    >>> [*changes({"a": 1, "b": [1]}, {"b": [2, 3]})]
    ... # doctest: +NORMALIZE_WHITESPACE
    [{'op': 'remove', 'path': '/a', 'before': 1},
     {'op': 'replace', 'path': '/b/0', 'before': 1, 'after': 2},
     {'op': 'add', 'path': '/b/1', 'after': 3}]
    """
    if before is _ABSENT:
        yield {"op": "add", "path": pointer(path), "after": after}
    elif after is _ABSENT:
        yield {"op": "remove", "path": pointer(path), "before": before}
    elif isinstance(before, dict) and isinstance(after, dict):
        for name in dict.fromkeys([*before, *after]):
            yield from changes(before.get(name, _ABSENT), after.get(name, _ABSENT), (*path, name))
    elif isinstance(before, list) and isinstance(after, list):
        for place in range(max(len(before), len(after))):
            one, other = (items[place] if place < len(items) else _ABSENT for items in (before, after))
            yield from changes(one, other, (*path, place))
    elif type(before) is not type(after) or before != after:
        yield {"op": "replace", "path": pointer(path), "before": before, "after": after}


def _marked(tx: Transaction, safe: Safe, caller: Caller, noun: str, id_: str, number: int) -> Any:
    """Return a version's document to compare; before the first there was none, and none is left by a deletion."""
    document = _version(tx, caller, noun, id_, number).document if number > 0 else None
    return _ABSENT if document is None else sealing.marked(safe, id_, document)


def _version(tx: Transaction, caller: Caller, noun: str, id_: str, number: int) -> Version:
    found = None if "\0" in id_ else documents.version(tx, caller.number, noun, id_, number)
    if found is None:
        raise NotFound(f"there is no version {number} of a {declared.spoken(noun)} {id_!r} here")
    return found


def _newest(tx: Transaction, caller: Caller, noun: str, id_: str) -> int:
    found = [] if "\0" in id_ else documents.versions_of(tx, caller.number, noun, id_, 1)
    if not found:
        raise NotFound(f"there is no {declared.spoken(noun)} {id_!r} here")
    return found[0].version
