"""Where a destination is for something else, those who are known already are held to the policies that bind it now."""

from headrace.services import authoring, publishing
from unit.services.house import person

YES, NO = {"consents": {"email": {"val": "y"}}}, {"consents": {"email": {"val": "n"}}}
CARD = {
    "description": "A partner.",
    "uiAttributes": {
        "documentationLink": "https://partner.example/docs",
        "category": "email",
        "connectionType": "Server-to-server",
        "frequency": "Streaming",
    },
}


async def lives(house):
    """Have a policy for e-mails alone, and a dataflow that it binds, for it says of nothing what it is for."""
    await house.activate("a")
    await house.open()
    await house.consent(marketingActions=["emailTargeting"])
    await house.ingest(person(1, "a", **NO), person(2, "a", **YES))
    await settle(house)
    assert house.partner.knows() == {("2", "a")}


async def settle(house):
    await house.carry_runs()
    await house.wake_all()
    await house.run_out()


async def change(house, *actions):
    """Have the destination's author say what it is for."""
    known = house.destination_document()
    schema = {**known["schemaConfig"], "identityRequired": True}
    changed = {**known, "schemaConfig": schema, **CARD, "marketingActions": list(actions)}
    what = (house.store, house.clock, house.keyring, house.caller, authoring.DESTINATION, changed)
    await authoring.save(*what, id_=house.destinations["flow"])


async def publish(house):
    house.pass_time(1)
    wanted = {"destinationId": house.destinations["flow"], "destinationAccess": "ALL"}
    asked = await publishing.submit(house.store, house.clock, house.keyring, house.caller, wanted)
    config = asked.requests[-1].config_id
    await publishing.approve(house.store, house.clock, house.caller, config, self_review=True)


def asked_for(house):
    return house.rows("SELECT count(*) FROM runs WHERE kind = 'apply-consent'")[0][0]


async def test_who_was_withheld_enters_and_leaves_as_the_destination_changes(house):
    await lives(house)

    await change(house, "ANALYTICS")
    await settle(house)
    assert house.partner.knows() == {("1", "a"), ("2", "a")}

    await change(house, "ANALYTICS", "EMAIL_TARGETING")
    await settle(house)
    assert house.partner.knows() == {("2", "a")}
    assert house.partner.told()[-1] == ("1", "a", "exited")


async def test_a_version_that_is_published_is_followed_when_connections_move_to_it(house):
    await lives(house)
    await change(house)
    await publish(house)
    await change(house, "ANALYTICS")
    await settle(house)
    assert house.partner.knows() == {("2", "a")}, "the connection is on the published version"

    await publish(house)
    await settle(house)

    assert house.partner.knows() == {("1", "a"), ("2", "a")}


async def test_nothing_is_asked_for_where_the_same_policies_bind(house):
    await lives(house)
    before = asked_for(house)

    await change(house, "EMAIL_TARGETING")
    await publish(house)
    await publish(house)

    assert asked_for(house) == before
