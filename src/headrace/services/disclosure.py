"""
What an operator is told before people are sent anywhere: to which origins a destination sends, and what of them.

It is read from what the author declared, and errs on the side of telling more: an address whose host cannot be read off
it is told as it is written. Credentials that all operators share are the author's own; where those go is not told.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from headrace.services.checks import AUDIENCE_TEMPLATE, SERVER, Others, pointed_to

#: A scheme, and a host in which nothing but plain values is filled in.
_HOST = re.compile(r"([a-z][a-z0-9+.-]*)://((?:[^/?#\\{}\s]|\{\{\s*[\w.]+\s*\}\})+)(?=[/?#\\]|$)", re.IGNORECASE)
#: The longest address that is told as it is written.
_LONGEST = 500

#: What an address is written in.
Language = Literal["templates", "macros"]

_SIGN_IN_URLS = ("accessTokenUrl", "authorizationUrl", "refreshTokenUrl", "revocationUrl")
#: Where each kind of storage says where it is, and how that is told.
_STORAGES = {
    "fileBasedS3Destination": ("bucket", "s3://{}"),
    "fileBasedSFTPDestination": ("hostName", "sftp://{}"),
    "fileBasedAdlsGen2Destination": ("path", "{}"),
    "fileBasedAzureBlobDestination": ("path", "{}"),
    "fileBasedGoogleCloudStorageDestination": ("bucket", "gs://{}"),
    "fileBasedDlzDestination": ("path", "landing-zone://{}"),
}
#: What a dataflow sends of these is up to the operator, who maps or fills them in; so a consent is to the kind.
_MAPPED = frozenset({"identity", "attribute", "customerData"})


@dataclass(frozen=True, slots=True)
class Disclosure:
    """Origins, and fields as ``kind:name``: ``identity:email``, ``attribute:*``, ``audience:*``."""

    origins: tuple[str, ...]
    fields: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.origins or self.fields)

    def beyond(self, origins: Iterable[str], fields: Iterable[str]) -> "Disclosure":
        """Return what is not covered by a consent to these."""
        agreed, known = set(fields), set(origins)
        kinds = {field.partition(":")[0] for field in agreed} & _MAPPED
        more = (field for field in self.fields if field not in agreed and field.partition(":")[0] not in kinds)
        return Disclosure(tuple(origin for origin in self.origins if origin not in known), tuple(more))


def disclosure_of(destination: Any, others: Others) -> Disclosure:
    """Say where a destination sends, with everything it points to, and what."""
    addresses = [*_sign_in_addresses(destination), *(text for text, _ in request_addresses(destination, others))]
    return Disclosure(tuple(sorted({origin_of(address) for address in addresses})), tuple(_fields(destination)))


def request_addresses(destination: Any, others: Others) -> Iterator[tuple[str, Language]]:
    """Return the addresses that a destination's requests go to, as they are written, and in which language."""
    for noun, id_ in pointed_to(destination):
        document = others.get(noun, id_) or {}
        if noun == SERVER:
            yield from ((text, "templates") for text in _server_addresses(document))
        elif noun == AUDIENCE_TEMPLATE:
            template = document.get("metadataTemplate", {})
            events = [*template.values(), *template.get("x-headrace", {}).values()]
            yield from ((event["url"], "macros") for event in events if isinstance(event, dict) and "url" in event)


def origin_of(address: str) -> str:
    """
    Return the origin of an address that may be a template.

    >>> origin_of("https://{{ customerData.region }}.api.example:8443/v1/{{ x }}")
    'https://{{customerData.region}}.api.example:8443'
    >>> origin_of("{% if a %}https://one.example{% else %}https://two.example{% endif %}/v1")
    '{% if a %}https://one.example{% else %}https://two.example{% endif %}/v1'
    """
    return plain_origin(address) or address.strip()[:_LONGEST]


def plain_origin(address: str) -> str | None:
    """Return the origin of an address in whose host nothing but plain values is filled in; ``None``: it is another."""
    found = _HOST.match(address.strip())
    if found is None:
        return None
    authority = found[2].rpartition("@")[2]
    plain = re.sub(r"\{\{\s*([\w.]+)\s*\}\}|([^{]+)", lambda part: f"{{{{{part[1]}}}}}" if part[1] else part[2].lower(),
                   authority)  # fmt: skip
    return f"{found[1].lower()}://{plain}"


def _server_addresses(server: dict[str, Any]) -> Iterator[str]:
    yield from _texts(server.get("urlBasedDestination"), "url")
    for name, (field, form) in _STORAGES.items():
        yield from (form.format(text) for text in _texts(server.get(name), field))
        # A bucket is another one where somebody else keeps it.
        block = server.get(name)
        yield from _texts(block.get("x-headrace") if isinstance(block, dict) else None, "endpoint")


def _sign_in_addresses(destination: dict[str, Any]) -> Iterator[str]:
    for way in destination.get("customerAuthenticationConfigurations") or ():
        if isinstance(way, dict):
            yield from (way[name] for name in _SIGN_IN_URLS if isinstance(way.get(name), str))
            yield from preset_addresses(way)
            yield from _texts(way.get("x-headrace"), "revocationUrl")
            request = way.get("accessTokenRequest")
            yield from _texts(request.get("urlBasedDestination") if isinstance(request, dict) else None, "url")


def preset_addresses(way: dict[str, Any]) -> Iterator[str]:
    """Return the addresses that an author gives to data fields: each takes the place of the field of its name."""
    for field in way.get("authenticationDataFields") or ():
        if isinstance(field, dict) and field.get("name") in _SIGN_IN_URLS:
            yield from _texts(field, "value")


def _texts(holder: Any, field: str) -> Iterator[str]:
    """Return the text of a field, which may be a templated one."""
    value = holder.get(field) if isinstance(holder, dict) else None
    text = value.get("value") if isinstance(value, dict) else value
    if isinstance(text, str):
        yield text


def _fields(destination: dict[str, Any]) -> Iterator[str]:
    yield "audience:*"
    yield from (f"identity:{name}" for name in sorted(destination.get("identityNamespaces") or {}))
    schema = destination.get("schemaConfig") or {}
    named = [field["name"] for field in schema.get("profileFields") or () if isinstance(field, dict)]
    if named:
        yield from (f"attribute:{name}" for name in named)
    elif schema.get("profileRequired") or schema.get("dynamicSchemaConfig"):
        yield "attribute:*"
    fixed = [row["source"] for row in schema.get("requiredMappings") or () if isinstance(row, dict) and "source" in row]
    yield from (f"fixed:{source}" for source in fixed)
    yield from (f"customerData:{field['name']}" for field in destination.get("customerDataFields") or ())
