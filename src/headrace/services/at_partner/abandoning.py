"""Target connections that are to be deleted while their partner has, or may have, something of ours."""

from headrace.errors import Conflict
from headrace.services.at_partner.wanting import TARGET, Place
from headrace.services.caller import Caller
from headrace.store import audiences, audit, dataflows, partner_audiences
from headrace.store.database import Transaction
from headrace.store.documents import Declared
from headrace.store.partner_audiences import ITSELF, PartnerAudience

#: As many are named as can be read in one sentence.
_MOST_NAMED = 5


def refuse_left(tx: Transaction, caller: Caller, target: Declared) -> None:
    """
    Refuse to delete a target connection of which the partner is still to be told something: nobody else could.

    Raises:
        Conflict: it names what is left, and the ways out.
    """
    rows = [*Place(tx, caller.tenant, target).rows()]
    if not rows:
        return
    named = [_named(tx, row) for row in rows]
    rest = [f"{len(named) - _MOST_NAMED} more"] if len(named) > _MOST_NAMED else []
    raise Conflict(
        f"the partner is still to be told that it shall not have {', '.join([*named[:_MOST_NAMED], *rest])} any longer:"
        f" `GET /targetConnections/{target.id}/audiences` shows how that stands. Wait until it is done, or delete with"
        " `?abandon=true`, which leaves there what is there"
    )


def abandon(tx: Transaction, caller: Caller, target: Declared, now: int) -> None:
    """Forget what a target connection's partner has of ours, and leave it there; a run about it finds nothing to do."""
    rows = [*Place(tx, caller.tenant, target).rows()]
    for row in rows:
        partner_audiences.abandon(tx, row)
    if rows:
        details = {"left": [{"name": _named(tx, row), "alias": row.alias} for row in rows]}
        audit.note(
            tx, caller.number, caller.actor, "abandon-audiences", TARGET, target.id, now, target.version, details
        )


def _named(tx: Transaction, row: PartnerAudience) -> str:
    if row.audience == ITSELF:
        document = dataflows.document_of(tx, row.tenant, row.target) or {}
        return f"the dataflow {document.get('name', row.target)!r}"
    audience = audiences.all_of(tx, row.tenant)[row.audience]
    return f"the audience {audience.name or audience.id!r}"
