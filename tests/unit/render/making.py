"""Factories: a destination, an entry, a group in one word."""

from headrace.mapping import AttributeRow, IdentityRow, Mapping
from headrace.model.aggregation import BestEffortAggregation
from headrace.model.destination_server import DestinationServer
from headrace.model.message import Bucket, Entry, Group
from headrace.model.profile import encode
from headrace.render.destination import CompiledDestination
from headrace.render.parts import Parting
from headrace.render.recipe import MappedAudience
from headrace.render.recipes import recipe_of
from headrace.render.target import Audiences

NOON, ONE = "2026-03-01T12:00:00Z", "2026-03-01T13:00:00.947859Z"
ALL = "{{ input.profiles | toJson }}"


def audience(number, id_, namespace="ups", **more):
    facts = {"name": id_.upper(), "alias": f"list-{id_}", "created_at": 1, "updated_at": 2}
    times = {"mapping_created_at": 3, "mapping_updated_at": 4}
    return MappedAudience(number, namespace, id_, **{**facts, **times, **more})


#: Mapped in an order in which ``ups`` does not come first.
AUDIENCES = Audiences([audience(3, "c", "uploads"), audience(1, "a"), audience(2, "b")])
MAPPING = Mapping(
    (AttributeRow("city", "city"),),
    (IdentityRow("Email", "email"), IdentityRow("Phone", "phone")),
    namespaces=("email",),
)


def policy(most=100, *, split=False, **key):
    wire = {"maxUsersPerRequest": most, "splitUserById": split, "aggregationKey": key or None}
    return BestEffortAggregation.model_validate(wire)


def by_audience(most=100, *, status=False):
    return policy(most, includeSegmentId=True, includeSegmentStatus=status)


def by_identity(*groups, most=100, split=False, audience=False, status=False):
    """Group by identity namespaces: by the given groups, or each namespace by itself."""
    key = {"includeIdentity": True, "includeSegmentId": audience, "includeSegmentStatus": status}
    if groups:
        return policy(most, split=split, **key, groups=[{"namespaces": list(group)} for group in groups])
    return policy(most, split=split, **key, oneIdentityPerGroup=True)


def text(value, *, strategy="PEBBLE_V1", escaping="none"):
    return {"templatingStrategy": strategy, "value": value, "x-headrace": {"escaping": escaping}}


def server(body=ALL, *, url="https://partner.example/people", **http):
    template = {"httpMethod": "POST", "contentType": "application/json", **http}
    if body is not None:
        template["requestBody"] = text(body)
    wire = {"name": "Partner", "destinationServerType": "URL_BASED", "urlBasedDestination": {"url": text(url)}}
    return DestinationServer.model_validate({**wire, "httpTemplate": template})


def recipe(body=ALL, *, aggregation=None, version="1", mapping=MAPPING, audiences=AUDIENCES, **parts):
    best_effort = aggregation or policy()
    return recipe_of(
        dataflow="flow-1",
        version=version,
        server=server(body, **parts),
        policy=best_effort,
        mapping=mapping,
        audiences=audiences,
        parting=Parting.of(best_effort, ("email", "phone")),
        facts={"name": "flow"},
        customer_data={"region": "eu"},
        auth_data={"username": "ana", "password": "pw"},
    )


def destination(body=ALL, **more):
    return CompiledDestination(recipe(body, **more))


def member(*ids, time=NOON, **statuses):
    """Return a person's ``segmentMembership``: realized in the ids given, and as named."""
    named = {**dict.fromkeys(ids, "realized"), **statuses}
    found = {}
    for id_, status in named.items():
        namespace = "uploads" if id_ == "c" else "ups"
        found.setdefault(namespace, {})[id_] = {"status": status, "lastQualificationTime": time}
    return found


def person(memberships=None, *, email=("ana@example.com",), phone=(), **attributes):
    held = {"Email": [{"id": value} for value in email], "Phone": [{"id": value} for value in phone]}
    identities = {namespace: values for namespace, values in held.items() if values}
    return {"identityMap": identities, "segmentMembership": memberships or {}, **attributes}


def entry(profile=None, *, number=1, audience=0, part="", seq=1, changed=(), shown=None):
    document = encode(profile if profile is not None else person(member("a")))
    return Entry(number, audience, part, seq, document, tuple(changed), shown)


def group(*entries, bucket=None, attempt=1):
    return Group(1, 1, 1, 1, attempt, bucket or Bucket(), tuple(entries))
