"""What a destination sends, shown by an example: two people, rendered as delivery does; a file."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from headrace.errors import HeadraceError
from headrace.mapping import AttributeRow, IdentityRow
from headrace.model.file_configurations import PARQUET_SUFFIXES, SUFFIXES
from headrace.model.http import Request
from headrace.model.message import Bucket, Entry, Group
from headrace.model.profile import encode
from headrace.render.destination import CompiledDestination
from headrace.render.parts import Parting
from headrace.render.recipe import HeaderRecipe, MappedAudience, Recipe, TextRecipe
from headrace.services.documentation.subject import Document, Subject, block, listed

HASHED = "sha256(lower($))"
TIME = "2026-01-15T09:30:00.000Z"
#: When the audiences of the sample were made, in seconds since 1970.
MADE = 1_767_225_600
AUDIENCES = (
    MappedAudience(1, "ups", "recent-buyers", "Recent buyers", "recent-buyers", MADE, MADE, MADE, MADE),
    MappedAudience(2, "ups", "newsletter", "Newsletter", "newsletter", MADE, MADE, MADE, MADE),
)
FREE_ATTRIBUTES = ("first_name", "city")
_NONE: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class SampleMessage:
    """One request: its head for people, and its body, laid out if it is JSON."""

    head: str
    body: str
    language: str


@dataclass(frozen=True, slots=True)
class FileSample:
    """One file: its name, its columns, and how it is written, in words."""

    name: str
    header: str
    described: str
    header_is_written: bool


def sample_messages(subject: Subject) -> list[SampleMessage]:
    """
    Render the two sample profiles: together where they may travel together.

    Raises:
        HeadraceError: the templates cannot be rendered for them.
    """
    destination = CompiledDestination(_recipe(subject))
    composed = destination.compose(_group(subject, destination))
    if composed.refused:
        raise composed.refused[0][1]
    return [_shown(message.request) for message in composed.messages]


def shown_or_why_not(subject: Subject) -> tuple[list[SampleMessage], str]:
    """Return the messages, or why there are none to show."""
    try:
        return sample_messages(subject), ""
    except HeadraceError as error:
        return [], error.message.rstrip(".")


def _shown(request: Request) -> SampleMessage:
    kind = request.header("Content-Type") or ""
    head = f"{request.method} {request.url}" + (f"\nContent-Type: {kind}" if kind else "")
    try:
        return SampleMessage(
            head, orjson.dumps(orjson.loads(request.body), option=orjson.OPT_INDENT_2).decode(), "json"
        )
    except orjson.JSONDecodeError:
        return SampleMessage(head, request.body.decode(errors="replace"), "text")


# The recipe -----------------------------------------------------------------------------------------------------------


def _recipe(subject: Subject) -> Recipe:
    http = block(subject.server, "httpTemplate")
    body, query = http.get("requestBody"), http.get("queryParameters")
    policy = subject.aggregation
    parting = _parting(subject)
    return Recipe(
        dataflow="0e9f3f0c-7d3f-4a58-9b9c-2f4b7c1d0a55",
        version="1",
        method=str(http.get("httpMethod", "POST")),
        url=_text(block(block(subject.server, "urlBasedDestination"), "url"), "url"),
        max_users=int(policy.get("maxUsersPerRequest") or policy.get("maxNumEventsInBatch") or 1),
        attributes=tuple(AttributeRow(f"a{place}", name) for place, name in enumerate(_attributes(subject))),
        identities=tuple(_row(name, item) for name, item in subject.identities.items()),
        namespaces=tuple(subject.identities),
        audiences=AUDIENCES,
        predefined=bool(listed(subject.schema, "profileFields")),
        identity_groups=parting.groups,
        splits=parting.splits,
        content_type=http.get("contentType"),
        headers=tuple(HeaderRecipe(item["header"], _text(item["value"], "header")) for item in listed(http, "headers")),
        query=_text(query, "queryParameters") if query else None,
        body=_text(body, "requestBody") if body else None,
        facts={"id": "0e9f3f0c-7d3f-4a58-9b9c-2f4b7c1d0a55", "name": subject.name, "sandboxName": "prod"},
        customer_data=subject.customer_data,
        auth_data={"accessToken": "token", "token": "token"},
    )


def _text(value: Document, name: str) -> TextRecipe:
    is_template = value.get("templatingStrategy") == "PEBBLE_V1"
    escaping = str(block(value, "x-headrace").get("escaping", "html"))
    return TextRecipe(str(value.get("value", "")), name, escaping if is_template else None)


def _row(name: str, item: Document) -> IdentityRow:
    accepted = block(item, "acceptedGlobalNamespaces")
    hashes = [item.get("transformation"), *(block(accepted, one).get("requiredTransformation") for one in accepted)]
    return IdentityRow(name, name, transformation=HASHED if HASHED in hashes else None)


def _parting(subject: Subject) -> Parting:
    key = block(subject.aggregation, "aggregationKey")
    groups: tuple[tuple[str, ...], ...] = ()
    if key.get("includeIdentity"):
        named = tuple(tuple(group.get("namespaces", ())) for group in listed(key, "groups"))
        groups = tuple((name,) for name in subject.identities) if key.get("oneIdentityPerGroup") else named
    return Parting(groups, bool(subject.aggregation.get("splitUserById")))


# The two people -------------------------------------------------------------------------------------------------------


def _group(subject: Subject, destination: CompiledDestination) -> Group:
    key = block(subject.aggregation, "aggregationKey")
    audience = 1 if key.get("includeSegmentId") else 0
    status = "realized" if key.get("includeSegmentStatus") else None
    parting, mapping = destination.parting, destination.mapping
    profiles = list(_profiles(subject, parting))
    parts = [next(parting.parts(mapping.identities(profile))).write() for profile in profiles]
    entries = tuple(
        Entry(number, audience, part, 1, encode(profile), (audience,) if audience else (1, 2))
        for number, (profile, part) in enumerate(zip(profiles, parts, strict=True), 1)
    )
    group = 1 if parting.groups else 0
    return Group(0, 0, 1, 1, 1, Bucket(audience, status, group), entries)  # type: ignore[arg-type]


def _profiles(subject: Subject, parting: Parting) -> Iterator[Document]:
    """Make the person with little and the one with everything; where identities are grouped, both are in group 1."""
    names = [name for name in subject.identities if not parting.groups or name in parting.groups[0]]
    attributes = {f"a{place}": _value(subject, name) for place, name in enumerate(_attributes(subject))}
    joined = {"status": "realized", "lastQualificationTime": TIME}
    left = {"status": "exited", "lastQualificationTime": TIME}
    yield {"identityMap": _identities(names[:1], "bo"), "segmentMembership": {"ups": {"recent-buyers": joined}}}
    both = {"recent-buyers": joined, "newsletter": left}
    yield {"identityMap": _identities(names, "ana"), "segmentMembership": {"ups": both}, **attributes}


def _identities(names: list[str], who: str) -> dict[str, list[dict[str, str]]]:
    return {name: [{"id": f"{who}@example.com" if "mail" in name.lower() else f"{name}-of-{who}"}] for name in names}


def _attributes(subject: Subject) -> list[str]:
    predefined = [str(item.get("name")) for item in listed(subject.schema, "profileFields")]
    free = FREE_ATTRIBUTES if subject.schema.get("profileRequired") else ()
    return predefined or list(free)


def _value(subject: Subject, name: str) -> Any:
    field: Document = next((item for item in listed(subject.schema, "profileFields") if item.get("name") == name), {})
    known: dict[str, Any] = {"integer": 1, "number": 1.5, "boolean": True, "date": "2026-01-15"}
    samples = {"first_name": "Ana", "city": "Lisboa"}
    text = "ana@example.com" if "mail" in name.lower() else samples.get(name, f"{field.get('title') or name} of ana")
    return known.get(str(field.get("type")), text)


# Files ----------------------------------------------------------------------------------------------------------------


def file_sample(subject: Subject) -> FileSample:
    """Name a file as an export would, and its columns."""
    formats = block(subject.server, "fileConfigurations")
    kind = subject.rendered(formats.get("fileType")).lower() or "csv"
    compression = subject.rendered(formats.get("compression")).lower()
    options = block(formats, "csvOptions")
    separator = subject.rendered(options.get("sep") or options.get("delimiter")) or ","
    is_csv, has_header = kind == "csv", subject.rendered(options.get("header")).lower() != "false"
    inside, behind = (PARQUET_SUFFIXES, _NONE) if kind == "parquet" else (_NONE, SUFFIXES)
    name = f"{_stem(subject)}{inside.get(compression, '')}.{kind}{behind.get(compression, '')}"
    packed = f", compressed with {compression}" if (inside or behind).get(compression) else ", not compressed"
    header = (separator.replace("\\t", "\t") if is_csv else ", ").join(_columns(subject))
    return FileSample(name, header, f"{kind.upper()} files{packed}", is_csv and has_header)


def _stem(subject: Subject) -> str:
    names = block(subject.batch, "filenameConfig")
    appended = [f"%{macro}%" for macro in listed(names, "defaultFilenameAppendOptions")]
    text = "_".join(filter(None, [str(names.get("defaultFilename", "")), *appended])) or "%SEGMENT_ID%"
    for macro, value in _macros(subject).items():
        text = text.replace(f"%{macro}%", value)
    return text


def _macros(subject: Subject) -> dict[str, str]:
    at = datetime.fromisoformat(TIME)
    return {
        "DESTINATION": subject.name,
        "SEGMENT_ID": AUDIENCES[0].id,
        "SEGMENT_NAME": str(AUDIENCES[0].name),
        "DESTINATION_INSTANCE_ID": "0e9f3f0c-7d3f-4a58-9b9c-2f4b7c1d0a55",
        "DESTINATION_INSTANCE_NAME": "Daily export",
        "ORGANIZATION_NAME": "Organization",
        "SANDBOX_NAME": "prod",
        "DATETIME": at.strftime("%Y%m%d_%H%M%S"),
        "TIMESTAMP": str(int(at.timestamp())),
        "CUSTOM_TEXT": "text",
        "MERGE_POLICY_ID": "policy-1",
        "MERGE_POLICY_NAME": "Default policy",
    }


def _columns(subject: Subject) -> list[str]:
    fixed = [str(row.get("destination")) for row in listed(subject.schema, "requiredMappings")]
    if subject.schema.get("requiredMappingsOnly"):
        return fixed
    known = {name.removeprefix("identityMap.") for name in fixed}
    identities = [f"identityMap.{name}" for name in subject.identities if name not in known]
    return list(dict.fromkeys([*fixed, *identities, *_attributes(subject)]))
