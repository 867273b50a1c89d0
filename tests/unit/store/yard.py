"""A yard to move changes about in: the outbox of one dataflow, and its rows to look at."""

from headrace.model.change import Changes, LaneTouched
from headrace.model.message import Bucket, Settled
from headrace.model.outcome import Delivered, Parked, Retry
from headrace.model.profile import encode
from headrace.store import ledger, outbox, profiles
from headrace.store.outbox import Conclusion
from headrace.store.profiles import Kept
from headrace.store.splitting import Part
from headrace.streaming.bisect import halves

_numbers = outbox.Numbers(1)
LEASE = 60_000
RETRY = Retry("status-503", "the partner answered 503")
PARKED = Parked("status-400", "the partner answered 400")


def lane(audience=0, part="", bucket=None):
    return LaneTouched(audience, part, (bucket or Bucket(audience)).encode())


class Yard:
    """Accept, claim and settle in the words of tests. ``run`` runs a piece of work in a transaction."""

    def __init__(self, run, tenant, dataflow=1):
        self.run = run
        self.tenant = tenant
        self.dataflow = dataflow
        self.now = 1_000_000
        self.epoch = 1
        self.seq = 0
        self._people = set()

    def accept(self, profile=1, changed=(1,), lanes=None, late=(), at=None):
        """Accept one record's changes and return their sequence number."""
        self.seq += 1
        touched = (lane(),) if lanes is None else tuple(lanes)
        self.accept_all([Changes(self.dataflow, profile, self.seq, tuple(changed), touched, tuple(late))], at)
        return self.seq

    def accept_all(self, batch, at=None):
        for changes in batch:
            if changes.profile not in self._people:
                self._people.add(changes.profile)
                self.run(
                    lambda tx, number=changes.profile: profiles.insert(
                        tx, self.tenant, [Kept(number, f"crmId:{number}", encode({}), 1)]
                    )
                )
        now = self.now if at is None else at
        return self.run(lambda tx: outbox.accept(tx, self.tenant, batch, now))

    def claim(self, most_groups=10, most_entries=10, *, after_bucket=-1, patience=None):
        whose = (self.tenant, self.dataflow, self.epoch)
        asked = outbox.Claim(*whose, most_groups, most_entries, LEASE, _numbers, patience)
        return self.run(lambda tx: outbox.claim(tx, asked, self.now, after_bucket))

    def settle(self, group, *outcomes, shown=b'{"audiences":{}}', retry_in=1000):
        """Settle a group: one outcome for all of its entries, or one for each."""
        each = outcomes if len(outcomes) == len(group.entries) else outcomes * len(group.entries)
        settled = [
            Settled(entry, outcome, f"m{group.number}", shown if isinstance(outcome, Delivered) else None)
            for entry, outcome in zip(group.entries, each, strict=True)
        ]
        parts = [Part(_numbers.take(), entries, reason) for entries, reason in halves(settled)]
        return self.record(group, settled, self.now + retry_in, parts) is not None

    def record(self, group, settled, retry_at, parts=()):
        """Record the outcomes of a group, and return what was recorded."""
        concluded = Conclusion(group, settled, retry_at, parts)
        return self.run(lambda tx: outbox.settle(tx, [concluded], self.now))[0]

    def deliver_all(self):
        """Deliver whatever waits until nothing does; return the groups."""
        done = []
        while groups := self.claim():
            for group in groups:
                assert self.settle(group, Delivered())
            done += groups
            assert len(done) < 1000
        return done

    # -- what to look at ------------------------------------------------------------------------------------------

    def balance(self):
        """The ledger in all, without what is zero."""
        rows = self.run(lambda tx: ledger.balance(tx, self.tenant, self.dataflow)).values()
        columns = (*ledger.COLUMNS, "pending")
        return {column: total for column in columns if (total := sum(row[column] for row in rows))}

    def rows(self, table, columns, order="1, 2, 3"):
        where = {"tenant": self.tenant, "dataflow": self.dataflow}
        sql = f"SELECT {columns} FROM {table} WHERE tenant = :tenant AND dataflow = :dataflow ORDER BY {order}"
        return self.run(lambda tx: tx.run(sql, where).fetchall())

    def changes(self):
        """The changes that are not settled: person, audience, sequence number."""
        return self.rows("changes", "profile, audience, seq")

    def lane(self, profile=1, audience=0, part=""):
        """One lane's row as a dictionary, or nothing."""
        names = ["bucket", "desired_seq", "claimed_seq", "claim_group", "acked_seq", "waiting_since", "due", "shown"]
        for row in self.rows("lanes", f"profile, audience, part, {', '.join(names)}"):
            if row[:3] == (profile, audience, part):
                return dict(zip(names, row[3:], strict=True))
        return None

    def everything(self):
        """All rows, to see that nothing changed."""
        tables = ("changes", "lanes", "groups", "parked")
        return [self.rows(table, "*") for table in tables], self.balance()
