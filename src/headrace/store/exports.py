"""What was exported of an audience last, and published: a run that fails before that leaves it as it was."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from headrace.store.database import Transaction

_GET = """
    SELECT cut, slot, run, published_at FROM exports
    WHERE tenant = :tenant AND dataflow = :dataflow AND audience = :audience
"""
_PUT = """
    INSERT INTO exports (tenant, dataflow, audience, cut, slot, run, published_at)
    VALUES (:tenant, :dataflow, :audience, :cut, :slot, :run, :published_at)
    ON CONFLICT (tenant, dataflow, audience) DO UPDATE
    SET cut = excluded.cut, slot = excluded.slot, run = excluded.run, published_at = excluded.published_at
"""
_MEMBERS = """
    SELECT block, members FROM exported_members
    WHERE tenant = :tenant AND dataflow = :dataflow AND audience = :audience ORDER BY block
"""
_PUT_MEMBERS = """
    INSERT INTO exported_members (tenant, dataflow, audience, block, members)
    VALUES (:tenant, :dataflow, :audience, :block, :members)
"""
_BLOCK = """
    SELECT members FROM exported_members
    WHERE tenant = :tenant AND dataflow = :dataflow AND audience = :audience AND block = :block
"""
_PERHAPS_BLOCK = """
    SELECT perhaps FROM unpublished_members
    WHERE tenant = :tenant AND dataflow = :dataflow AND audience = :audience AND block = :block
"""
_PERHAPS = """
    SELECT block, surely, perhaps FROM unpublished_members
    WHERE tenant = :tenant AND dataflow = :dataflow AND audience = :audience ORDER BY block
"""
_PUT_PERHAPS = """
    INSERT INTO unpublished_members (tenant, dataflow, audience, block, surely, perhaps)
    VALUES (:tenant, :dataflow, :audience, :block, :surely, :perhaps)
"""
_IS_SHOWN = """
    SELECT 1 FROM unpublished_members
    WHERE tenant = :tenant AND dataflow = :dataflow AND audience = :audience LIMIT 1
"""
_PUT_BLOCK = """
    INSERT INTO unpublished_members (tenant, dataflow, audience, block, surely, perhaps)
    VALUES (:tenant, :dataflow, :audience, :block, :surely, :perhaps)
    ON CONFLICT (tenant, dataflow, audience, block) DO UPDATE SET perhaps = excluded.perhaps
"""
_FORGET = "DELETE FROM {} WHERE tenant = :tenant AND dataflow = :dataflow AND audience = :audience"
_TABLES = ("exports", "exported_members", "unpublished_members")
_FORGET_EXPORT, _FORGET_MEMBERS, _FORGET_PERHAPS = (_FORGET.format(name) for name in _TABLES)
_FORGET_DATAFLOW = "DELETE FROM {} WHERE tenant = :tenant AND dataflow = :dataflow"
_FORGET_ALL = tuple(_FORGET_DATAFLOW.format(name) for name in _TABLES)


@dataclass(frozen=True, slots=True)
class Published:
    """
    The last export of an audience that was published.

    ``cut`` is the number of the newest state of a person that it knew of: what is newer is for the next. ``slot`` is
    the moment that it was scheduled for; ``None``: it was asked for besides.
    """

    cut: int
    slot: int | None
    run: str
    published_at: int


def get(tx: Transaction, tenant: int, dataflow: int, audience: int) -> Published | None:
    """Return the last export of an audience; ``None``: there is none yet."""
    row = tx.run(_GET, {"tenant": tenant, "dataflow": dataflow, "audience": audience}).fetchone()
    return None if row is None else Published(*row)


def members(tx: Transaction, tenant: int, dataflow: int, audience: int) -> Iterator[tuple[int, bytes]]:
    """Yield, block by block, whom the files of an audience have as members, as ``batch.members`` packs them."""
    rows = tx.run(_MEMBERS, {"tenant": tenant, "dataflow": dataflow, "audience": audience})
    return ((block, bytes(packed)) for block, packed in rows)


def block_of(
    tx: Transaction, tenant: int, dataflow: int, audience: int, block: int
) -> tuple[bytes | None, bytes | None]:
    """Return one block: whom the files that were published have, and whom others that may have been seen perhaps do."""
    whose = {"tenant": tenant, "dataflow": dataflow, "audience": audience, "block": block}
    found = (tx.run(sql, whose).fetchone() for sql in (_BLOCK, _PERHAPS_BLOCK))
    published, perhaps = (None if row is None else bytes(row[0]) for row in found)
    return published, perhaps


def unpublished(tx: Transaction, tenant: int, dataflow: int, audience: int) -> list[tuple[int, bytes, bytes]]:
    """Return, block by block, whom files have surely and perhaps, where some may have been seen and none published."""
    rows = tx.run(_PERHAPS, {"tenant": tenant, "dataflow": dataflow, "audience": audience})
    return [(block, bytes(surely), bytes(perhaps)) for block, surely, perhaps in rows]


def is_shown(tx: Transaction, tenant: int, dataflow: int, audience: int) -> bool:
    """Say whether files may have been seen that were not published."""
    return tx.run(_IS_SHOWN, {"tenant": tenant, "dataflow": dataflow, "audience": audience}).fetchone() is not None


def put_perhaps(tx: Transaction, tenant: int, dataflow: int, audience: int, block: int, perhaps: bytes) -> None:
    """Note of one block whom files perhaps have; whom they surely have stays."""
    whose = {"tenant": tenant, "dataflow": dataflow, "audience": audience}
    tx.run(_PUT_BLOCK, {**whose, "block": block, "surely": b"", "perhaps": perhaps})


def show(
    tx: Transaction, tenant: int, dataflow: int, audience: int, blocks: Iterable[tuple[int, bytes, bytes]]
) -> None:
    """Note, before files of an audience may be seen, whom the partner surely and perhaps has once they are."""
    whose = {"tenant": tenant, "dataflow": dataflow, "audience": audience}
    tx.run(_FORGET_PERHAPS, whose)
    rows = [{**whose, "block": block, "surely": surely, "perhaps": perhaps} for block, surely, perhaps in blocks]
    tx.many(_PUT_PERHAPS, rows)


def publish(
    tx: Transaction,
    tenant: int,
    dataflow: int,
    audience: int,
    published: Published,
    blocks: Iterable[tuple[int, bytes]],
) -> None:
    """Note an export whose files are all there; the next one counts from it."""
    whose = {"tenant": tenant, "dataflow": dataflow, "audience": audience}
    values = {name: getattr(published, name) for name in Published.__slots__}
    tx.run(_PUT, {**whose, **values})
    tx.run(_FORGET_MEMBERS, whose)
    tx.run(_FORGET_PERHAPS, whose)
    tx.many(_PUT_MEMBERS, [{**whose, "block": block, "members": packed} for block, packed in blocks])


def forget(tx: Transaction, tenant: int, dataflow: int, audience: int) -> None:
    """Forget what was exported of an audience: the next file is a first one."""
    for sql in (_FORGET_EXPORT, _FORGET_MEMBERS, _FORGET_PERHAPS):
        tx.run(sql, {"tenant": tenant, "dataflow": dataflow, "audience": audience})


def forget_all(tx: Transaction, tenant: int, dataflow: int) -> None:
    """Forget what was exported of every audience of a dataflow."""
    for sql in _FORGET_ALL:
        tx.run(sql, {"tenant": tenant, "dataflow": dataflow})
