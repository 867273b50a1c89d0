"""How hot statements find their rows on PostgreSQL: by the index that was made for them, whatever it has counted."""

import re

import pytest

from headrace.store.database import Store
from headrace.store.dialect import rewrite
from headrace.store.outbox import lanes
from unit.store.hot import HOT, LARGE
from unit.store.yard import Yard

#: Keys of a table other than the primary one.
KEYS = {"profiles_tenant_key_key": "profiles"}


#: Few enough to be read whole: one row for each message that is under way or waits for its retry, and who is in those
#: that are kept because something of them is parked.
FEW = ("groups", "parked_people")
#: Few enough for any index that narrows down by more than the tenant.
FEWER = ("parked",)
#: What a store has that has grown since it was counted: people and their lanes, a part of which is on its way. Groups
#: have numbers that no other test of the process comes to.
GROWTH = (
    "INSERT INTO profiles SELECT 1, n, 'crmId:' || n, ' ' FROM generate_series(100, 20000) n",
    "INSERT INTO changes SELECT 1, 1, n, 1, n FROM generate_series(100, 20000) n",
    """INSERT INTO lanes (tenant, dataflow, profile, audience, part, bucket, desired_seq, claimed_seq, claim_group, due)
       SELECT 1, 1, n, 0, '', 4, n, CASE WHEN n % 40 = 0 THEN n END, CASE WHEN n % 40 = 0 THEN 1000000 + n / 400 END,
           CASE WHEN n % 40 = 1 THEN n END FROM generate_series(100, 20000) n""",
    "INSERT INTO groups SELECT 1, 1000000 + n, 1, 4, 1, 1, n, NULL FROM generate_series(1, 500) n",
    """INSERT INTO parked SELECT 1, 1, n, n, 1, n, n, 1, 'status-400', 'the partner answered 400'
       FROM generate_series(100, 20000) n""",
)


def count_when_small(store):
    yard = Yard(store.write_now, 1)
    for profile in range(1, 6):
        yard.accept(profile)
    assert yard.claim(1, 2)
    store.write_now(lambda tx: tx.run("ANALYZE"))


def grow(store):
    for statement in GROWTH:
        store.write_now(lambda tx, sql=statement: tx.run(sql))


@pytest.fixture(scope="module", params=["never counted", "counted when small"])
def own(request, tmp_path_factory, postgres):
    """A store whose planner knows nothing, or that there was next to nothing; in the second there is much by now."""
    with postgres.lent() as database_url:
        store = Store.open(tmp_path_factory.mktemp("store"), database_url)
        if request.param == "counted when small":
            count_when_small(store)
            grow(store)
        yield store
        store.close()


def plan(store, sql):
    """The steps of the plan that a statement gets for good, once it has been prepared."""
    names = list(dict.fromkeys(re.findall(r":(\w+)", sql)))
    numbered = rewrite(sql, lambda name: f"${names.index(name) + 1}")
    explain = f"EXPLAIN (GENERIC_PLAN, FORMAT JSON) {numbered}"
    ((plans,),) = store.write_now(lambda tx: tx.core.connection.driver_connection.execute(explain).fetchall())
    return list(steps(plans[0]["Plan"]))


def steps(node):
    yield node
    for inner in node.get("Plans", ()):
        yield from steps(inner)


@pytest.mark.parametrize("name", HOT)
def test_a_hot_statement_finds_its_rows_by_an_index(own, name):
    sql, expected = HOT[name]

    taken = plan(own, sql)

    tables = [step for step in taken if step.get("Relation Name") in LARGE and step["Node Type"] != "ModifyTable"]
    assert tables
    for step in tables:
        assert step["Node Type"] in ("Index Scan", "Index Only Scan", "Bitmap Heap Scan"), taken
    for step in taken:
        if "Index Name" in step:
            assert _is_found(step, sql, expected), taken


def _is_found(step, sql, expected):
    """Say whether a step narrows down by an index that was made for it, and by more than the tenant."""
    index = KEYS.get(step["Index Name"], step["Index Name"].removesuffix("_pkey"))
    narrowed = set(re.findall(r"\b(\w+) (?:[<>=]+|IS NOT)", step.get("Index Cond", "")))
    is_narrow = bool(narrowed - {"tenant"}) or "max(" in sql
    return index.startswith(FEW) or (is_narrow and (index in expected or index.startswith(FEWER)))


def test_a_plan_is_made_anew_while_tables_grow(tmp_path, postgres, monkeypatch):
    """A plan that is kept for good was made when there was next to nothing."""
    with postgres.lent() as database_url:
        monkeypatch.setattr("headrace.store.postgres.REPLAN", 0.0)
        store = Store.open(tmp_path, database_url)
        count_when_small(store)
        asked = {"tenant": 1, "dataflow": 1, "profile": 1, "audience": 0, "part": "", "claim_group": 0}
        for _ in range(20):
            store.write_now(lambda tx: tx.run(lanes.FREE_LANE, asked))
        small = kept_plan(store)
        grow(store)
        large = kept_plan(store)
        store.close()

    assert "lanes_pkey" in small
    assert "lanes_claimed" in large


def kept_plan(store):
    """The indexes of the plan that the connection which writes keeps of a statement."""

    def look(tx):
        driver = tx.core.connection.driver_connection
        query = (
            "SELECT name FROM pg_prepared_statements WHERE statement LIKE '%claimed_seq = NULL%part = %claim_group = %'"
        )
        ((name,),) = driver.execute(query).fetchall()
        ((plans,),) = driver.execute(f"EXPLAIN (FORMAT JSON) EXECUTE \"{name}\" (1, 1, 1, 0, '', 0)").fetchall()
        return {step.get("Index Name") for step in steps(plans[0]["Plan"])}

    return store.write_now(look)
