"""A house that writes files: a destination that takes them, and a dataflow that sends audiences there."""

from pathlib import Path

from headrace.connect.egress import AllowList, Egress
from headrace.connect.guard import Guard
from headrace.connect.storage import Way
from headrace.model.flow import PROFILE_STORE_SPEC
from headrace.services import activation, authoring, sources, targets
from headrace.services.exports import due
from headrace.services.exports.carrying import Exporting
from headrace.services.landing.zones import LandingZones
from headrace.services.storages import Storages
from support import AUTHORING, FLOWS
from unit.services.house import flow_document

EVERYBODY = "segmentMembership.seg_namespace.seg_id.status"
MAPPING = (("identityMap.crmId", "crm"), ("city", "city"), (EVERYBODY, "status"))


def text(value):
    strategy = "PEBBLE_V1" if "{{" in value else "NONE"
    return {"templatingStrategy": strategy, "value": value}


def server(**formats):
    return {
        "name": "files",
        "destinationServerType": "FILE_BASED_DLZ",
        "fileBasedDlzDestination": {"path": text("out/%SEGMENT_ID%"), "useCase": "dlz_destination"},
        "fileConfigurations": {"includeFileManifest": text("true"), **formats},
    }


def destination(server_id, name="flow", **batch):
    return {
        "name": name,
        "status": "TEST",
        "schemaConfig": {"segmentRequired": True, "profileRequired": True},
        "destinationDelivery": [
            {
                "authenticationRule": "NONE",
                "destinationServerId": server_id,
                "deliveryMatchers": [{"type": "SOURCE", "value": ["batch"]}],
            }
        ],
        "batchConfig": {
            "allowMandatoryFieldSelection": True,
            "allowDedupeKeyFieldSelection": True,
            "filenameConfig": {
                "allowedFilenameAppendOptions": ["SEGMENT_NAME", "DATETIME"],
                "defaultFilenameAppendOptions": ["DATETIME"],
                "defaultFilename": "%SEGMENT_ID%",
            },
            **batch,
        },
    }


def scheduled(mode="DAILY_FULL_EXPORT", frequency="DAILY", start="2026-03-20", time="12:00", **more):
    """How an audience is chosen; the house stands on 2026-03-20, 09:46:40."""
    schedule = {"frequency": frequency, "startDate": start, "startTime": time, **more}
    return {"exportMode": mode, "schedule": {name: value for name, value in schedule.items() if value is not None}}


async def activate_files(
    house, *ids, name="flow", mapping=MAPPING, formats=None, batch=None, params=None, called=None, **dates
):
    """Declare a destination that takes files, and send the given audiences there."""
    made = (house.store, house.clock, house.keyring, house.caller)
    served = await authoring.save(*made, authoring.SERVER, server(**(formats or {})))
    house.servers[name] = served.declared.id
    document = destination(served.declared.id, name, **(batch or {}))
    house.destinations[name] = (await authoring.save(*made, authoring.DESTINATION, document)).declared.id
    connection = {"name": name, "connectionSpec": {"id": house.destinations[name]}}
    source = await sources.create_source(house.store, house.clock, house.caller, connection)
    target = await targets.create_target(*made, connection)
    flow = flow_document(name, source.id, target.id, ids, mapping)
    for selector in flow["transformations"][0]["params"]["segmentSelectors"]["selectors"]:
        selector["value"] |= scheduled(**dates) | ({"filenameTemplate": called} if called else {})
        del selector["value"]["mappingId"]
    flow["transformations"][0]["params"] |= params or {}
    stored = await activation.create(house.store, house.clock, house.caller, flow)
    house.flows[name] = stored.id
    return stored


def connect_files(api, *ids, name="files", template=None, formats=None, mapping=MAPPING, mandatory=(), **dates):
    """Declare by REST a destination that takes files, and a dataflow that sends it audiences; return its id."""
    wanted = destination(
        _made(api.post(f"{AUTHORING}/destination-servers", server(**(formats or {}))))["instanceId"], name
    )
    if template is not None:
        kept = _made(api.post(f"{AUTHORING}/audience-templates", template))["instanceId"]
        wanted["audienceMetadataConfig"] = {"audienceTemplateId": kept}
    spec = {"id": _made(api.post(f"{AUTHORING}/destinations", wanted))["instanceId"], "version": "1.0"}
    target = _made(api.post(f"{FLOWS}/targetConnections", {"name": name, "connectionSpec": spec}))["id"]
    people = {"name": "profiles", "connectionSpec": {"id": PROFILE_STORE_SPEC}}
    source = _made(api.post(f"{FLOWS}/sourceConnections", people))["id"]
    document = flow_document(name, source, target, ids, mapping)
    for selector in document["transformations"][0]["params"]["segmentSelectors"]["selectors"]:
        selector["value"] |= scheduled(**dates)
        del selector["value"]["mappingId"]
    if mandatory:
        document["transformations"][0]["params"]["mandatoryFields"] = [*mandatory]
    return _made(api.post(f"{FLOWS}/flows", document))["id"]


def _made(answer):
    assert answer.status in (200, 201), answer.text
    return answer.json


def carries_files(house, directory):
    """Have a house write files, into a landing zone below a directory."""
    zones = LandingZones(house.store, house.clock, house.keyring, directory, "http://127.0.0.1", 7, 7)
    made = Storages(house.keyring, house.clock, Way(Egress(AllowList()), Guard()), landing=zones.directory_of)
    data = Path(house.store.directory)
    exporting = Exporting(
        house.store, house.clock, made, house.store.people, data / "lists", data / "exports", house.events.append
    )
    house.runs.register(due.KIND, exporting.carry)
    return zones
