"""Nobody can give what they do not have."""

import asyncio
from typing import get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headrace.errors import Forbidden
from headrace.model.roles import PERMISSIONS, ROLES, PermissionName, RoleName
from headrace.services import clients, users
from headrace.services.grants import Grants, of_client, of_roles, of_user
from headrace.store.access import tenants_of
from headrace.store.users import EVERYWHERE
from unit.services.gate import Gate

SANDBOXES = ("prod", "dev")
some_permissions = st.frozensets(st.sampled_from(sorted(PERMISSIONS)))
#: Sets that roles are made of come up often, so that something is allowed now and then.
held = st.one_of(some_permissions, st.sampled_from([role.permissions for role in ROLES.values()]))
holdings = st.dictionaries(st.sampled_from(["", *SANDBOXES]), held, max_size=3)
sandboxes = st.one_of(st.none(), st.lists(st.sampled_from(SANDBOXES), min_size=1, unique=True))
roles = st.builds(
    lambda role, sandbox: {"role": role, "sandbox": sandbox}, st.sampled_from(sorted(ROLES)),
    st.sampled_from([None, *SANDBOXES]),
)  # fmt: skip
LAW = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def numbers(gate):
    known = gate.store.read_now(lambda tx: tenants_of(tx, gate.host.number))
    return {tenant.sandbox: tenant.tenant for tenant in known}


@pytest.fixture(scope="module")
def gate(tmp_path_factory):
    built = Gate(tmp_path_factory.mktemp("gate"))
    asyncio.run(built.sandbox("dev"))
    yield built
    built.close()


def somebody(gate, numbers, holding):
    return gate.principal({numbers.get(name, EVERYWHERE): permissions for name, permissions in holding.items()})


def asked_for(numbers, wanted):
    return of_roles((numbers.get(given["sandbox"], EVERYWHERE), given["role"]) for given in wanted)


def goes_beyond(numbers, given_grants, own):
    """Whether somebody could do, somewhere, now or in a sandbox to come, what their maker could not."""
    places = [*numbers.values(), max(numbers.values()) + 1]
    return any(given_grants.at(place) - own.at(place) for place in places)


@LAW
@given(holdings, some_permissions, sandboxes)
def test_a_client_never_gets_more_than_its_maker_has(gate, numbers, holding, wanted, where):
    maker = somebody(gate, numbers, holding)
    asked = Grants(dict.fromkeys([numbers[name] for name in where] if where else [EVERYWHERE], wanted))
    document = {"name": "x", "permissions": sorted(wanted), "sandboxes": where}
    try:
        client, _ = asyncio.run(clients.create(gate.store, gate.clock, maker, document))
    except Forbidden:
        assert not maker.grants.covers(asked)
    else:
        assert not goes_beyond(numbers, of_client(client), maker.grants)


@LAW
@given(holdings, st.lists(roles, max_size=3))
def test_a_user_never_gets_more_than_their_maker_has(gate, numbers, holding, wanted):
    maker = somebody(gate, numbers, holding)
    try:
        user = asyncio.run(gate.user(maker, roles=wanted))
    except Forbidden:
        assert not maker.grants.covers(asked_for(numbers, wanted))
    else:
        assert not goes_beyond(numbers, of_user(user), maker.grants)


@LAW
@given(holdings, st.lists(roles, max_size=2), st.lists(roles, max_size=2))
def test_nobody_is_changed_by_or_into_somebody_who_has_more(gate, numbers, holding, before, after):
    changer = somebody(gate, numbers, holding)
    user = asyncio.run(gate.user(roles=before))
    client, _ = asyncio.run(gate.client(permissions=sorted(of_user(user).everywhere)))
    try:
        changed = asyncio.run(gate.change(user, changer, roles=after))
    except Forbidden:
        asked = (asked_for(numbers, before), asked_for(numbers, after))
        assert not all(changer.grants.covers(each) for each in asked)
    else:
        assert not goes_beyond(numbers, of_user(user), changer.grants)
        assert not goes_beyond(numbers, of_user(changed), changer.grants)
    try:
        asyncio.run(clients.rotate(gate.store, gate.clock, changer, client.client_id))
    except Forbidden:
        return
    assert not goes_beyond(numbers, of_client(client), changer.grants)


def test_resetting_a_password_is_taking_over_and_needs_as_much(gate):
    user = asyncio.run(gate.user(roles=[{"role": "admin"}]))
    lesser = gate.principal({EVERYWHERE: frozenset(PERMISSIONS) - {"profiles:write"}})

    with pytest.raises(Forbidden, match="you lack profiles:write"):
        asyncio.run(users.reset_password(gate.store, gate.clock, gate.passwords, lesser, user.id, {}))


def test_roles_and_permissions_are_known_under_the_names_that_are_checked():
    assert set(get_args(PermissionName)) == set(PERMISSIONS)
    assert set(get_args(RoleName)) == set(ROLES)
    assert all(role.permissions <= set(PERMISSIONS) for role in ROLES.values())
    assert ROLES["admin"].permissions == set(PERMISSIONS)
