"""
Consent on the way of a change: held against the policies when it is queued, when it is claimed, and before it leaves.

Nothing here is called for dataflows that no policy binds.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from headrace.mapping.consent import Consents, without_memberships
from headrace.model.change import NO_AUDIENCE
from headrace.model.message import Entry, Group, Settled
from headrace.model.outcome import Outcome, Retry
from headrace.model.profile import Profile, decode, encode
from headrace.services.live import LiveDataflow
from headrace.store import outbox
from headrace.store.database import Transaction
from headrace.streaming.triggers import bucket, changed

#: The code of a retry because of consent that was withdrawn.
OBJECTED = "consent-withdrawn"


@dataclass(frozen=True, slots=True)
class Cleared:
    """What may be sent of a claimed group; ``has_moved``: some of it waits elsewhere now."""

    group: Group
    has_moved: bool = False


def reason_of(policy: str) -> str:
    """Return the ledger's reason for what a policy withholds."""
    return f"consent: {policy}"


def kept_back(flow: LiveDataflow, before: Profile | None, after: Profile) -> tuple[tuple[int, ...], str]:
    """Return the audiences that a person has entered and the partner may not be told of, and the reason."""
    policy = flow.consent.withholding(after)
    if policy is None:
        return (), ""
    statuses = flow.watched.audiences.statuses(after)
    entered = (
        number
        for number in changed(before, after, flow.watched)
        if number != NO_AUDIENCE and statuses[number]["status"] == "realized"
    )
    return tuple(entered), reason_of(policy)


def withheld_entry(flow: LiveDataflow, person: Profile, audience: int) -> str | None:
    """Return why a member of an audience that is sent from now on is not told of; ``None``: they are no member."""
    policy = flow.consent.withholding(person)
    is_member = flow.watched.audiences.statuses(person).get(audience, {}).get("status") == "realized"
    return reason_of(policy) if policy is not None and is_member else None


def cleared(tx: Transaction, flow: LiveDataflow, group: Group, now: int) -> Cleared:
    """
    Hold a group that was just claimed against the policies, as the transaction sees them.

    Who is withheld and was never told of is taken out and counted so. Whom the partner may know has left. An entry that
    the policies have made another than its bucket says waits in the right one.
    """
    kept: list[Entry] = []
    withheld: list[tuple[Entry, str]] = []
    has_moved = False
    for entry in group.entries:
        person = decode(entry.document)
        policy = flow.consent.withholding(person)
        seen = person if policy is None else without_memberships(person)
        right = bucket(seen, entry.audience, entry.part, flow.watched)
        if policy is not None and entry.shown is None and group.attempt == 1:
            withheld.append((entry, reason_of(policy)))
        elif right is not None and right != group.bucket.encode():
            outbox.move(tx, group, entry, right, now)
            has_moved = True
        else:
            kept.append(entry if policy is None else replace(entry, document=encode(seen)))
    if withheld:
        outbox.withhold_entries(tx, group, withheld, now)
    if not kept:
        outbox.drop_group(tx, group)
    return Cleared(replace(group, entries=tuple(kept)), has_moved)


def objection(consents: Consents, newer: Iterable[bytes]) -> Outcome | None:
    """Say why a message may not leave: somebody in it has changed since it was rendered, and is withheld now."""
    if any(consents.withholding(decode(document)) is not None for document in newer):
        reason = "somebody in it withdrew their consent after it was rendered, so it is rendered anew"
        return Retry(OBJECTED, reason, after=0.0, counts=False)
    return None


def counted(settled: Sequence[Settled]) -> Sequence[Settled]:
    """
    Count an attempt in which one message was objected to and another may have arrived.

    Of a first attempt it is believed that nobody in it was told of.
    """
    retries = [item.outcome for item in settled if isinstance(item.outcome, Retry)]
    if not any(retry.counts for retry in retries) or all(retry.counts for retry in retries):
        return settled
    return [
        replace(item, outcome=replace(item.outcome, counts=True))
        if isinstance(item.outcome, Retry) and item.outcome.code == OBJECTED
        else item
        for item in settled
    ]
