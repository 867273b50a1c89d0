"""Keys come and go: whatever was sealed opens, whoever dies on the way, and nobody notices but those who asked."""

import asyncio
import contextlib
import json
from dataclasses import dataclass

import pytest
from sqlalchemy import insert, select, update

from headrace.connect.keyfile import LocalKeyFile
from headrace.connect.keyring import Keyring, KeyUnavailable, Place
from headrace.connect.secrets import MASK
from headrace.errors import Conflict, Forbidden, OperationError
from headrace.services import accounts, key_rotation
from headrace.services.caller import Principal
from headrace.services.grants import Grants
from headrace.services.sealing import SEALED, Safe
from headrace.store import access, documents, landing_zones, sealed, tables
from headrace.store.keys import StoredKeys, key_in
from headrace.store.sealed import SHELVES

NOUNS = [noun for noun in documents.NOUNS if noun != "source-connection"]


@dataclass
class Vault:
    """A house with something sealed on every shelf there is, in each of its sandboxes."""

    house: object

    def __post_init__(self):
        self.store, self.clock, self.keyring = self.house.store, self.house.clock, self.house.keyring
        (host,) = self.store.read_now(access.all_organizations)
        self.principal = Principal("client:house", host, Grants({}))
        self.numbers = iter(range(1, 1_000_000))

    @property
    def here(self):
        return self.store.read_now(access.all_tenants)[0]

    def sandbox(self, organization, name):
        """Make a sandbox, and the organization if there is none."""

        def work(tx):
            found = access.find_organization(tx, organization)
            number = found.number if found else access.add_organization(tx, organization)
            access.add_tenant(tx, number, name, f"id of {name}")
            return access.find_tenant(tx, organization, name)

        return self.store.write_now(work)

    def as_(self, organization):
        return Principal("client:other", self.store.read_now(lambda tx: access.find_organization(tx, organization)), {})

    def fill(self, tenant):
        """Keep a secret on every shelf of a sandbox."""
        safe = Safe(self.keyring, tenant)
        for noun in NOUNS:
            self.keep(tenant, noun, f"{noun}-{next(self.numbers)}", safe)
        holder, begun = (f"{name}-{next(self.numbers)}" for name in ("holder", "begun"))
        tokens, verifier = (safe.seal(holder, {"access": "t0ken"}), safe.seal(begun, {"verifier": "verifi3r"}))
        state = {"state": "signed-in", "since": 0, "issue": 0, "generation": 1, "refreshed": [], "sealed": tokens}
        signs = safe.seal(landing_zones.RECORD, {"key1": "s1gns"})
        zone = landing_zones.Zone(tenant.tenant, f"dlz-{tenant.tenant}", signs, 0)
        browser = {"account": "a", "actor": "me", "begun_at": 0, "expires_at": 1, "sealed": verifier}

        def work(tx):
            tx.core.execute(insert(tables.sign_in_states).values(tenant=tenant.tenant, holder=holder, **state))
            tx.core.execute(insert(tables.begun_sign_ins).values(tenant=tenant.tenant, state_hash=begun, **browser))
            landing_zones.add(tx, zone)

        self.store.write_now(work)

    def keep(self, tenant, noun, id_, safe):
        if noun == "account":
            document = {"auth": {"specName": "BEARER", "params": safe.seal(id_, {"token": "s3cret"})}}
        else:
            document = {"name": "n", "pin": MASK, SEALED: safe.seal(id_, {"/pin": '"s3cret"', "/ü": '"ü"'})}
        self.store.write_now(lambda tx: documents.add(tx, tenant.tenant, noun, id_, document, 1, "me"))

    def values(self):
        """Everything that is sealed: (tenant, shelf, row, record, field, text)."""

        def work(tx):
            return [
                (tenant, shelf, row, *value)
                for tenant in access.all_tenants(tx)
                for shelf in SHELVES
                for row in sealed.rows_sealed_with(tx, shelf, tenant.tenant, self.key_ids(tx), None, 1000)
                for value in row.values
            ]

        return self.store.read_now(work)

    def key_ids(self, tx):
        return tx.core.execute(select(tables.data_keys.c.key_id)).scalars().all()

    def opened(self, keyring=None):
        keyring = keyring or self.keyring
        return [
            keyring.open(text, Place(tenant.organization, tenant.sandbox, record, field)).reveal()
            for tenant, _, _, record, field, text in self.values()
        ]

    def keys_in_use(self):
        return {key_in(text) for *_, text in self.values()}

    def rows(self, sql):
        return self.store.read_now(lambda tx: tx.run(sql).fetchall())

    # -- what people ask for --------------------------------------------------------------------------------------

    async def ask(self, what, principal=None, **how):
        return await what(self.store, self.clock, self.keyring, principal or self.principal, **how)

    async def reseal_all(self, **how):
        steps = [await self.ask(key_rotation.reseal, **how)]
        while steps[-1].left and steps[-1].done:
            steps.append(await self.ask(key_rotation.reseal, **how))
        return steps


@pytest.fixture
def vault(house):
    filled = Vault(house)
    filled.fill(filled.here)
    return filled


def test_every_shelf_has_something_sealed_here(vault):
    assert len({(shelf.table.name) for _, shelf, *_ in vault.values()}) == len(SHELVES) - 1  # sources have no secrets


async def test_a_rotation_seals_everything_anew_and_all_of_it_opens(vault):
    before = vault.opened()
    (made,) = (await vault.ask(key_rotation.rotate)).values()
    steps = await vault.reseal_all()

    assert vault.keys_in_use() == {made}
    assert vault.opened() == before
    assert sum(step.done for step in steps) == len(before)
    assert (steps[-1].left, steps[-1].unreadable) == (0, 0)


async def test_a_rotation_makes_no_version_wakes_nobody_and_is_one_entry_of_the_audit(vault):
    untouched = (
        "SELECT tenant, noun, id, version, action, actor, at FROM versions ORDER BY 1, 2, 3, 4",
        "SELECT tenant, id, version, modified_at FROM accounts",
        "SELECT configuration FROM tenants",
    )
    before, audited = [vault.rows(sql) for sql in untouched], vault.rows("SELECT count(*) FROM audit")[0][0]
    (made,) = (await vault.ask(key_rotation.rotate)).values()
    await vault.reseal_all()

    assert [vault.rows(sql) for sql in untouched] == before
    entries = vault.rows("SELECT action, noun, id FROM audit ORDER BY entry")[audited:]
    assert [tuple(entry) for entry in entries] == [("rotate", "data-key", made)]


async def test_nothing_but_the_sealed_texts_changes(vault):
    def emptied(text, texts):
        for value in texts:
            text = text.replace(value, "")
        return text

    def shapes():
        return [emptied(row.text, [value[2] for value in row.values]) for _, _, row, *_ in vault.values()]

    before = shapes()
    await vault.ask(key_rotation.rotate)
    await vault.reseal_all()

    assert shapes() == before


async def test_whoever_is_killed_half_way_has_lost_nothing_and_the_next_goes_on(vault, monkeypatch):
    vault.fill(vault.here)
    before = vault.opened()
    monkeypatch.setattr(key_rotation, "TURN", 0)
    monkeypatch.setattr(key_rotation, "ROWS", 1)
    await vault.ask(key_rotation.rotate)
    first = await vault.ask(key_rotation.reseal)
    vault.clock.at += 1

    assert 0 < first.done < first.left
    assert vault.opened() == before

    vault.keyring = Keyring(LocalKeyFile(vault.store.directory / "key"), StoredKeys(vault.store), vault.clock)
    (made,) = (await vault.ask(key_rotation.rotate)).values()  # And once more, while the last one is not done.
    steps = await vault.reseal_all()

    assert len(steps) > 3
    assert vault.opened() == before
    assert vault.keys_in_use() == {made}


async def test_who_writes_meanwhile_has_it_their_way(vault, monkeypatch):
    """The row is changed between the reading of it and its replacement."""
    await vault.ask(key_rotation.rotate)
    replace, tenant = sealed.replace, vault.here

    def overtaken(tx, shelf, changed):
        for row, _ in changed:
            if shelf.table.name == "accounts":
                table = tables.accounts
                theirs = {"auth": {"specName": "BEARER", "params": {"token": "v1.k0.theirs"}}}
                tx.core.execute(update(table).where(table.c.id == row.key[1]).values(document=theirs))
        return replace(tx, shelf, changed)

    monkeypatch.setattr(sealed, "replace", overtaken)
    await vault.ask(key_rotation.reseal)

    (account,) = vault.store.read_now(lambda tx: documents.all_of(tx, tenant.tenant, "account"))
    assert account.document["auth"]["params"] == {"token": "v1.k0.theirs"}


async def test_a_key_goes_only_once_nothing_is_sealed_with_it(vault):
    before = vault.opened()
    (old,) = vault.keys_in_use()
    await vault.ask(key_rotation.rotate)
    assert await vault.ask(key_rotation.prune) == {"demo@headrace": []}

    await vault.reseal_all()
    assert await vault.ask(key_rotation.prune) == {"demo@headrace": [old]}
    assert await vault.ask(key_rotation.prune) == {"demo@headrace": []}

    assert vault.opened() == before
    fresh = Keyring(LocalKeyFile(vault.store.directory / "key"), StoredKeys(vault.store))
    assert vault.opened(fresh) == before


async def test_what_was_sealed_before_and_arrives_after_its_key_is_gone_is_refused(vault):
    late = Safe(vault.keyring, vault.here)
    document = {"auth": {"specName": "BEARER", "params": late.seal("late", {"token": "s3cret"})}}
    await vault.ask(key_rotation.rotate)
    await vault.reseal_all()
    await vault.ask(key_rotation.prune)

    with pytest.raises(Conflict, match="rotated just now; send the request again"):
        vault.store.write_now(lambda tx: documents.add(tx, vault.here.tenant, "account", "late", document, 1, "me"))


async def test_fingerprints_stay_when_the_oldest_key_is_gone(vault):
    account = vault.store.read_now(lambda tx: documents.all_of(tx, vault.here.tenant, "account"))[0]
    before = accounts.shown(vault.keyring, vault.house.caller, account)
    for _ in range(3):
        vault.clock.at += 1
        await vault.ask(key_rotation.rotate)
        await vault.reseal_all()
        await vault.ask(key_rotation.prune)

    account = vault.store.read_now(lambda tx: documents.all_of(tx, vault.here.tenant, "account"))[0]
    assert accounts.shown(vault.keyring, vault.house.caller, account) == before
    fresh = Keyring(LocalKeyFile(vault.store.directory / "key"), StoredKeys(vault.store))
    assert accounts.shown(fresh, vault.house.caller, account) == before


async def test_an_organization_rotates_its_own_and_the_host_all(vault):
    other = vault.sandbox("other@org", "prod")
    vault.fill(other)
    theirs = vault.as_("other@org")

    assert [*await vault.ask(key_rotation.rotate, theirs)] == ["other@org"]
    for what in (key_rotation.rotate, key_rotation.reseal, key_rotation.prune):
        with pytest.raises(Forbidden, match="only the organization that runs this installation"):
            await vault.ask(what, theirs, every=True)
    assert [*await vault.ask(key_rotation.rotate, every=True)] == ["demo@headrace", "other@org"]
    assert (await vault.reseal_all(every=True))[-1].left == 0
    status = await key_rotation.status(vault.store, vault.keyring, vault.principal, every=True)
    uses = {name: [use.values for use in keys] for name, keys in status.organizations.items()}
    assert set(uses) == {"demo@headrace", "other@org"}
    assert all(not any(older) and newest > 0 for *older, newest in uses.values())
    mine = await key_rotation.status(vault.store, vault.keyring, theirs)
    assert [*mine.organizations] == ["other@org"]


async def test_the_status_tells_of_keys_that_are_needed_and_not_there(vault):
    (key_id,) = vault.keys_in_use()
    count = len(vault.values())
    vault.store.write_now(lambda tx: tx.run("DELETE FROM data_keys"))

    status = await key_rotation.status(vault.store, vault.keyring, vault.principal)

    (use,) = status.organizations["demo@headrace"]
    assert (use.key.id, use.values, use.is_missing) == (key_id, count, True)


async def test_a_master_key_is_replaced_and_removed(vault):
    before, old = vault.opened(), vault.keyring.master_key
    await vault.ask(key_rotation.rotate)
    made = await vault.ask(key_rotation.rotate_master)
    assert await vault.ask(key_rotation.prune_master) == []

    progress = await key_rotation.rewrap(vault.store, vault.keyring)

    assert (progress.done, progress.left) == (3, 0)  # two data keys, and the key of fingerprints
    assert await vault.ask(key_rotation.prune_master) == [old]
    fresh = Keyring(LocalKeyFile(vault.store.directory / "key"), StoredKeys(vault.store))
    assert (fresh.master_key, vault.opened(fresh)) == (made, before)
    assert old not in (vault.store.directory / "key").read_text()
    entries = vault.rows("SELECT action, id FROM audit WHERE noun = 'master-key' ORDER BY entry")
    assert [tuple(entry) for entry in entries] == [("rotate", made), ("prune", old)]


async def test_a_data_key_that_does_not_unwrap_keeps_its_master_key(vault):
    old = vault.keyring.master_key
    damaged = old.encode() + b"\0" + b"damaged" * 8
    row = {"organization": "gone@org", "key_id": "k1", "position": 1, "wrapped": damaged}
    vault.store.write_now(lambda tx: tx.core.execute(insert(tables.data_keys).values(**row)))
    await vault.ask(key_rotation.rotate_master)
    progress = await key_rotation.rewrap(vault.store, vault.keyring)

    assert (progress.done, progress.left, progress.unreadable) == (1, 1, 1)
    assert await vault.ask(key_rotation.prune_master) == []


async def test_what_does_not_open_is_told_and_stays_as_it_is(vault):
    (key_id,) = vault.keys_in_use()
    vault.store.write_now(lambda tx: tx.run("UPDATE sign_in_states SET sealed = :it", {"it": _damaged(key_id)}))
    await vault.ask(key_rotation.rotate)
    steps = await vault.reseal_all()

    assert (steps[-1].left, steps[-1].unreadable) == (1, 1)
    assert await vault.ask(key_rotation.prune) == {"demo@headrace": []}


def _damaged(key_id):
    return json.dumps({"access": f"v1.{key_id}.{'A' * 60}"})


async def test_a_rotation_leads_away_from_a_key_that_is_damaged(vault):
    vault.store.write_now(lambda tx: tx.core.execute(update(tables.data_keys).values(wrapped=b"damaged")))
    vault.keyring = Keyring(LocalKeyFile(vault.store.directory / "key"), StoredKeys(vault.store))
    safe = Safe(vault.keyring, vault.here)
    with pytest.raises(KeyUnavailable):
        safe.seal("new", {"token": "s3cret"})

    await vault.ask(key_rotation.rotate)

    assert safe.open("new", safe.seal("new", {"token": "s3cret"}))["token"].reveal() == "s3cret"


# -- moved from one place to another -----------------------------------------------------------------------------------


def test_a_value_opens_in_its_own_row_field_sandbox_and_organization_only(vault):
    """Every value of every shelf, read as if it stood in every other place."""
    vault.fill(vault.sandbox("demo@headrace", "dev"))
    vault.fill(vault.sandbox("other@org", "prod"))
    places = {
        Place(tenant.organization, tenant.sandbox, record, field): text
        for tenant, _, _, record, field, text in vault.values()
    }

    assert len(places) > 30
    for place, text in places.items():
        for other in places:
            if other != place:
                with pytest.raises(OperationError) as refused:
                    vault.keyring.open(text, other)
                assert "s3cret" not in str(refused.value)


# -- one organization's trouble ---------------------------------------------------------------------------------------


async def test_one_missing_data_key_stops_only_what_it_sealed(vault):
    """And a rotation of the organization seals anew whatever else is left."""
    (old,) = vault.keys_in_use()
    await vault.ask(key_rotation.rotate)
    safe = Safe(vault.keyring, vault.here)
    newer = safe.seal("newer", {"token": "s3cret"})
    vault.store.write_now(lambda tx: tx.run("DELETE FROM data_keys WHERE key_id = :it", {"it": old}))
    vault.keyring = Keyring(LocalKeyFile(vault.store.directory / "key"), StoredKeys(vault.store))

    assert Safe(vault.keyring, vault.here).open("newer", newer)["token"].reveal() == "s3cret"
    with pytest.raises(OperationError, match=f"data key '{old}', which is not there"):
        Safe(vault.keyring, vault.here).open("x", {"token": f"v1.{old}.AAAA"})


async def test_sealing_goes_on_while_keys_are_rotated(vault):
    """Many seal and store while one rotates, seals anew and removes, again and again: all of it opens."""
    stop = asyncio.Event()

    async def keep_storing():
        while not stop.is_set():
            safe = Safe(vault.keyring, vault.here)
            id_ = f"account-{next(vault.numbers)}"
            sealed_ = {"auth": {"specName": "BEARER", "params": safe.seal(id_, {"token": "s3cret"})}}
            with contextlib.suppress(Conflict):
                await vault.store.write(
                    lambda tx, i=id_, s=sealed_: documents.add(tx, vault.here.tenant, "account", i, s, 1, "me")
                )
            await asyncio.sleep(0)

    tasks = [asyncio.create_task(keep_storing()) for _ in range(3)]
    for _ in range(4):
        vault.clock.at += 1
        await vault.ask(key_rotation.rotate)
        await vault.reseal_all()
        await vault.ask(key_rotation.prune)
    stop.set()
    await asyncio.gather(*tasks)

    assert len(vault.opened()) > 40
