"""
What connecting to a destination asks for, as JSON Schema: the ways to sign in, the form, and the partner's attributes.

An object's `x-headrace.order` is the order of its fields on the form, which members of a JSON object do not have.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from headrace.model.authentication import CustomerAuthentication
from headrace.model.customer_data import CustomerDataField
from headrace.model.destination import Destination
from headrace.model.schema import ProfileField, SchemaConfig
from headrace.model.token import SECRET_NAMES, AuthenticationDataField

Schema = dict[str, Any]


def _text(title: str, **more: Any) -> Schema:
    return {"type": "string", "title": title, **more}


def _secret(title: str) -> Schema:
    return _text(title, format="password")


_PORT: Schema = {"type": "string", "title": "Port", "default": "22", "pattern": "^[0-9]+$"}
#: What each way to sign in asks for, except OAuth 2, whose author decides.
ASKED: Mapping[str, Mapping[str, Schema]] = MappingProxyType(
    {
        "BASIC": {"username": _text("User name"), "password": _secret("Password")},
        "BEARER": {"token": _secret("Token")},
        "S3": {
            "accessId": _text("Access key"),
            "secretKey": _secret("Secret key"),
            "roleArn": _text("Role to assume, instead of a key"),
        },
        "AZURE_CONNECTION_STRING": {"connectionString": _secret("Connection string")},
        "AZURE_SERVICE_PRINCIPAL": {
            "url": _text("Storage URL"),
            "servicePrincipalId": _text("Service principal id"),
            "servicePrincipalKey": _secret("Service principal key"),
            "tenant": _text("Tenant"),
        },
        "SFTP_WITH_PASSWORD": {
            "domain": _text("Host"),
            "port": _PORT,
            "username": _text("User name"),
            "password": _secret("Password"),
        },
        "SFTP_WITH_SSH_KEY": {
            "domain": _text("Host"),
            "port": _PORT,
            "username": _text("User name"),
            "sshKey": _secret("Private SSH key"),
        },
        "GOOGLE_CLOUD_STORAGE": {
            "accessKeyId": _text("Access key id"),
            "secretAccessKey": _secret("Secret access key"),
            "serviceAccountKey": _secret("Service account key (JSON), instead of an HMAC key"),
            "endpoint": _text("Endpoint, where a service account's bucket is not at Google"),
        },
    }
)
#: What may be left out, and where one of several sets is enough, these.
_OPTIONAL = frozenset({"port", "url", "endpoint"})
_EITHER: Mapping[str, tuple[tuple[str, ...], ...]] = MappingProxyType(
    {
        "S3": (("accessId", "secretKey"), ("roleArn",)),
        "GOOGLE_CLOUD_STORAGE": (("accessKeyId", "secretAccessKey"), ("serviceAccountKey",)),
    }
)
_TYPES = {"boolean": "boolean", "integer": "integer"}


def auth_specs(destination: Destination) -> list[Schema]:
    """Return the ways to sign in, each with what it asks for."""
    return [
        {"name": way.auth_type, "type": way.auth_type, "spec": auth_spec(way)}
        for way in destination.customer_authentication_configurations
    ]


def auth_spec(way: CustomerAuthentication) -> Schema:
    """Return what one way to sign in asks for."""
    if way.auth_type != "OAUTH2":
        properties, sets = dict(ASKED[way.auth_type]), _EITHER.get(way.auth_type, ())
        needed = [name for name in properties if not sets and name not in _OPTIONAL]
        either = {"anyOf": [{"required": [*names]} for names in sets]} if sets else {}
        return {**_object(properties, needed), **either}
    asked = [item for item in way.authentication_data_fields if item.is_asked_for]
    properties, required = {item.name: _credential(item) for item in asked}, [i.name for i in asked if i.is_required]
    if way.grant == "OAUTH2_PASSWORD":
        own = ASKED["BASIC"]
        properties, required = {**own, **properties}, [*own, *required]
    return {**_object(properties, required), "x-headrace": {"order": [*properties], "grant": way.grant}}


def form_spec(fields: Iterable[CustomerDataField]) -> Schema:
    """Return a form, groups with those inside. The default of a secret is never told."""
    listed = tuple(fields)
    required = [item.name for item in listed if item.is_required and item.conditional is None]
    return _object({item.name: _property(item) for item in listed}, required)


def partner_schema(schema: SchemaConfig | None) -> Schema:
    """Return what attributes messages to the partner may have, as far as the author lists them."""
    listed = (schema.profile_fields if schema is not None else None) or ()
    attributes = {
        **_object({item.name: _attribute(item) for item in listed}, [item.name for item in listed if item.is_required]),
        "x-headrace": {
            "order": [item.name for item in listed],
            "isFetched": schema is not None and schema.dynamic_schema_config is not None,
        },
    }
    free = {"type": "object", "additionalProperties": {"type": "object"}}
    return {
        "type": "object",
        "properties": {"attributes": attributes, "identityMap": free, "segmentMembership": free},
    }


def encryption_specs(destination: Destination) -> list[Schema]:
    """Return how files may be encrypted."""
    if not destination.customer_encryption_configurations:
        return []
    asked = {
        "encryptionAlgo": {"type": "string", "enum": ["PGP/GPG", "NONE"]},
        "publicKey": _text("Public key, in base64"),
    }
    return [{"name": "Public key for encryption", "type": "FileEncryption", "spec": _object(asked, [])}]


def _object(properties: Schema, required: list[str]) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "x-headrace": {"order": [*properties]},
    }


def _property(item: CustomerDataField) -> Schema:
    group: Schema = form_spec(item.properties or ()) if item.type == "object" else {"type": item.type}
    ours = {
        "isRequired": item.is_required,
        "hidden": item.hidden,
        "unique": item.unique,
        "queryParams": [*item.dynamic_enum.query_params] if item.dynamic_enum is not None else None,
    }
    said = {
        "title": item.title or item.name,
        "description": item.description,
        "pattern": item.pattern or None,
        "format": item.format,
        "default": item.default if item.format != "password" else None,
        "readOnly": True if item.read_only else None,
        "enum": _choices(item),
        "namedEnum": [value.model_dump(mode="json") for value in item.named_enum] if item.named_enum else None,
        "conditional": item.conditional.model_dump(mode="json") if item.conditional is not None else None,
    }
    added = {
        **group.pop("x-headrace", {}),
        **{name: value for name, value in ours.items() if value not in (None, False)},
    }
    return {
        **group,
        **{name: value for name, value in said.items() if value is not None},
        **({"x-headrace": added} if added else {}),
    }


def _choices(item: CustomerDataField) -> list[Any] | None:
    if item.enum is not None:
        return [*item.enum]
    return [value.value for value in item.named_enum] if item.named_enum is not None else None


def _credential(item: AuthenticationDataField) -> Schema:
    is_secret = item.format == "password" or item.name in SECRET_NAMES
    said = {
        "type": _TYPES.get(item.type or "", "string"),
        "title": item.title or item.name,
        "description": item.description,
        "format": "password" if is_secret else None,
        "default": item.value if not is_secret else None,
    }
    return {name: value for name, value in said.items() if value is not None}


def _attribute(item: ProfileField) -> Schema:
    said = {"type": item.type, "title": item.title, "description": item.description}
    return {name: value for name, value in said.items() if value is not None}
