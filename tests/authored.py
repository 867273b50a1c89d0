"""Documents as authors write them: right ones without a warning, and those that together have every field there is."""

import copy
from typing import Any

from schedules import DATASET_BATCH, EVERY_BATCH

Document = dict[str, Any]
#: In the place of a value: the field is taken away.
ABSENT = object()


def text(value: str) -> Document:
    return {"templatingStrategy": "NONE", "value": value}


def template(value: str) -> Document:
    return {"templatingStrategy": "PEBBLE_V1", "value": value}


def changed(document: Document, changes: Document) -> Document:
    """A copy with other values at the given pointers; ``-`` as a step is the place after the last of a list."""
    made: Any = copy.deepcopy(document)
    for where, value in changes.items():
        *way, last = [step.replace("~1", "/").replace("~0", "~") for step in where.split("/")[1:]]
        place = made
        for step in way:
            place = place[int(step)] if isinstance(place, list) else place.setdefault(step, {})
        if isinstance(place, list):
            place[len(place) if last == "-" else int(last) :] = [value]
        elif value is ABSENT:
            del place[last]
        else:
            place[last] = value
    return made


def messages() -> Document:
    """A destination that takes messages, with what most of them have."""
    return {
        "name": "Harbor Lights",
        "description": "Tells Harbor Lights who is in an audience.",
        "status": "TEST",
        "customerAuthenticationConfigurations": [{"authType": "BEARER"}],
        "customerDataFields": [
            {"name": "port", "title": "Port", "type": "string", "isRequired": True, "enum": ["north", "south"]}
        ],
        "uiAttributes": {
            "documentationLink": "https://docs.harbor.example/lights",
            "category": "advertising",
            "connectionType": "Server-to-server",
            "frequency": "Streaming",
        },
        "identityNamespaces": {
            "harbor_id": {"acceptsAttributes": True, "acceptsCustomNamespaces": True},
            "email_hash": {
                "acceptsAttributes": True,
                "transformation": "sha256(lower($))",
                "acceptedGlobalNamespaces": {"Email": {"requiredTransformation": "sha256(lower($))"}},
            },
        },
        "schemaConfig": {
            "profileFields": [{"name": "given", "title": "Given name", "type": "string"}],
            "profileRequired": True,
            "segmentRequired": True,
            "identityRequired": True,
            "segmentNamespaceDenyList": [],
        },
        "audienceMetadataConfig": {"mapExperiencePlatformSegmentId": True},
        "aggregation": {"aggregationType": "BEST_EFFORT", "bestEffortAggregation": {"maxUsersPerRequest": 50}},
        "destinationDelivery": [{"authenticationRule": "CUSTOMER_AUTHENTICATION", "destinationServerId": "s-1"}],
        "backfillHistoricalProfileData": True,
    }


def waiting_messages() -> Document:
    """A destination whose messages wait for each other, under a template and a key of everything."""
    aggregation = {
        "aggregationType": "CONFIGURABLE_AGGREGATION",
        "configurableAggregation": {
            "splitUserById": False,
            "maxBatchAgeInSecs": 900,
            "maxNumEventsInBatch": 5000,
            "aggregationPolicyId": None,
            "aggregationKey": {
                "includeSegmentId": True,
                "includeSegmentStatus": True,
                "includeIdentity": True,
                "oneIdentityPerGroup": False,
                "groups": [{"namespaces": ["harbor_id"]}, {"namespaces": ["email_hash"]}],
            },
        },
    }
    metadata = {
        "mapExperiencePlatformSegmentName": False,
        "mapExperiencePlatformSegmentId": False,
        "mapUserInput": False,
        "audienceTemplateId": "t-1",
    }
    return messages() | {"aggregation": aggregation, "audienceMetadataConfig": metadata}


def files() -> Document:
    """A destination that takes files."""
    return {
        "name": "Harbor Crates",
        "description": "Puts files of audiences on the quay of Harbor Crates.",
        "status": "TEST",
        "customerAuthenticationConfigurations": [{"authType": "SFTP_WITH_PASSWORD"}, {"authType": "SFTP_WITH_SSH_KEY"}],
        "customerEncryptionConfigurations": [],
        "customerDataFields": [
            {"name": "folder", "title": "Folder", "type": "string", "isRequired": True},
            {
                "name": "fileType",
                "title": "Kind of file",
                "type": "string",
                "isRequired": True,
                "enum": ["csv", "json", "parquet"],
                "default": "csv",
            },
            {
                "name": "csvOptions",
                "title": "How it is written",
                "type": "object",
                "conditional": {"field": "fileType", "operator": "EQUALS", "value": "csv"},
                "properties": [
                    {
                        "name": "separator",
                        "title": "Separator",
                        "type": "string",
                        "default": ",",
                        "namedEnum": [{"name": "Comma", "value": ","}, {"name": "Tab", "value": "\t"}],
                    }
                ],
            },
        ],
        "uiAttributes": {
            "documentationLink": "https://docs.harbor.example/crates",
            "category": "cloudStorage",
            "connectionType": "SFTP",
            "frequency": "Batch",
        },
        "schemaConfig": {
            "profileRequired": True,
            "segmentRequired": True,
            "identityRequired": True,
            "requiredMappingsOnly": False,
            "requiredMappings": [
                {"destination": "identityMap.Harbor_ID", "mandatoryRequired": True, "primaryKeyRequired": True},
                {"sourceType": "text/plain", "source": "metadata.segment.alias", "destination": "list"},
            ],
            "segmentNamespaceDenyList": [],
        },
        "audienceMetadataConfig": {"mapUserInput": True},
        "batchConfig": EVERY_BATCH,
        "destinationDelivery": [
            {
                "authenticationRule": "CUSTOMER_AUTHENTICATION",
                "destinationServerId": "s-2",
                "deliveryMatchers": [{"type": "SOURCE", "value": ["batch"]}],
            }
        ],
        "backfillHistoricalProfileData": True,
    }


def oauth2_by_code() -> Document:
    """A way to sign in with every field that a login in the browser may have."""
    return {
        "authType": "OAUTH2",
        "grant": "OAUTH2_AUTHORIZATION_CODE",
        "options": {"useBasicAuth": True},
        "authorizationUrl": "https://login.harbor.example/authorize",
        "accessTokenUrl": "https://login.harbor.example/token",
        "refreshTokenUrl": "https://login.harbor.example/token",
        "clientId": "headrace",
        "clientSecret": "a secret of the client",
        "scope": ["lists.write", "lists.read"],
        "authenticationDataFields": [
            {"name": "expiresIn", "type": "integer", "source": "PARTNER", "value": 3600},
            {
                "name": "until",
                "title": "Valid until",
                "source": "CUSTOMER",
                "authenticationResponsePath": "refresh.until",
            },
        ],
        "validations": [
            {
                "name": "the account is open",
                "description": "Closed accounts get tokens too.",
                "actualValue": template("{{ response.body.open }}"),
                "expectedValue": text("true"),
            }
        ],
        "accessTokenResponsePath": "data.token",
        "refreshTokenResponsePath": "data.refresh",
        "expiresInResponsePath": "data.lives",
        "x-headrace": {"revocationUrl": "https://login.harbor.example/revoke"},
    }


def oauth2_by_request() -> Document:
    """A way to sign in with a request of the author's own."""
    return {
        "authType": "OAUTH2",
        "grant": "OAUTH2_CLIENT_CREDENTIALS",
        "authenticationDataFields": [
            {"name": "clientId", "title": "Client", "type": "string", "isRequired": True, "source": "CUSTOMER"},
            {
                "name": "clientSecret",
                "title": "Its secret",
                "description": "From the settings of your berth.",
                "type": "string",
                "isRequired": True,
                "format": "password",
                "source": "CUSTOMER",
            },
            {"name": "berth", "title": "Berth", "type": "string", "source": "CUSTOMER"},
        ],
        "accessTokenRequest": {
            "destinationServerType": "URL_BASED",
            "urlBasedDestination": {"url": template("https://{{ authData.berth }}.harbor.example/token")},
            "httpTemplate": {
                "httpMethod": "POST",
                "contentType": "application/x-www-form-urlencoded",
                "queryParameters": text("trace=1") | {"x-headrace": {"escaping": "none"}},
                "headers": [{"header": "Accept", "value": text("application/json")}],
                "requestBody": template("{{ formUrlEncode('client_id', authData.clientId) | raw }}"),
                "x-headrace": {
                    "messageIdHeader": "Request-Id",
                    "signing": {"scheme": "standard-webhooks"},
                    "bisect": False,
                    "retry": {"policy": "headrace", "steps": [60, 600]},
                    "answers": {
                        "statuses": [400],
                        "results": {
                            "path": "results",
                            "by": "id",
                            "index": "index",
                            "id": "email",
                            "entryId": "identityMap.email[0].id",
                            "names": "failures",
                            "success": {"path": "status", "values": ["ok"]},
                            "reason": "error.message",
                            "retry": {"path": "error.code", "values": ["BUSY"]},
                        },
                        "counts": {"failed": "failed", "accepted": "accepted", "otherwise": "park"},
                    },
                    "rateLimits": [{"requests": 10, "per": "second"}, {"profiles": 50_000, "per": "day"}],
                    "concurrency": {"most": 4},
                },
            },
            "responseFields": [
                {"name": "accessToken", **template("{{ response.body.token }}"), "x-headrace": {"escaping": "none"}}
            ],
            "validations": [
                {
                    "name": "it is 200",
                    "actualValue": template("{{ response.status }}"),
                    "expectedValue": text("200"),
                }
            ],
        },
    }


def form_of_everything() -> list[Document]:
    return [
        {
            "name": "port",
            "type": "string",
            "title": "Port",
            "description": "Where you are moored.",
            "isRequired": True,
            "pattern": "^(?=[a-z])[a-z]{1,10}$",
            "enum": ["north", "south"],
            "default": "north",
            "hidden": False,
            "readOnly": True,
            "unique": False,
        },
        {"name": "key", "type": "string", "format": "password"},
        {"name": "berths", "type": "integer", "default": 5, "unique": True},
        {
            "name": "lists",
            "type": "string",
            "dynamicEnum": {
                "destinationServerId": "s-3",
                "authenticationRule": "CUSTOMER_AUTHENTICATION",
                "value": "$.list",
                "responseFormat": "NAME_VALUE",
                "queryParams": ["port", "key"],
            },
        },
        {
            "name": "north",
            "type": "object",
            "conditional": {"field": "port", "operator": "EQUALS", "value": "north"},
            "properties": [
                {"name": "quay", "type": "string", "namedEnum": [{"name": "Old quay", "value": "old"}], "default": ""},
                {
                    "name": "crane",
                    "type": "string",
                    "conditional": {"field": "quay", "operator": "EQUALS", "value": "old"},
                },
            ],
        },
    ]


def messages_with_everything() -> Document:
    """All that a destination for messages may have at once."""
    return changed(
        waiting_messages(),
        {
            "/customerAuthenticationConfigurations": [oauth2_by_code(), oauth2_by_request(), {"authType": "BASIC"}],
            "/customerDataFields": form_of_everything(),
            "/uiAttributes/isBeta": "true",
            "/uiAttributes/icon": {"key": "harbor"},
            "/uiAttributes/iconUrl": "https://docs.harbor.example/lights.png",
            "/uiAttributes/flowRunsSupported": True,
            "/uiAttributes/monitoringSupported": False,
            "/schemaConfig/profileFields/0": {
                "name": "given",
                "title": "Given name",
                "description": "As people call them.",
                "type": "string",
                "isRequired": True,
                "readOnly": False,
                "hidden": False,
            },
            "/schemaConfig/useCustomerSchemaForAttributeMapping": False,
            "/segmentMappingConfig": {"mapUserInput": False},
            "/maxProfileAttributes": "100",
            "/maxIdentityAttributes": 5,
            "/marketingActions": ["ANALYTICS", "EMAIL_TARGETING"],
            "/duleLabels": ["C1", "I2"],
            "/sources": ["ACCOUNTS"],
            "/inputSchemaId": "schema-1",
            "/releaseNotes": "The first of its kind.",
            "/x-headrace": {"documentation": documentation(), "trigger": "audience"},
        },
    )


def files_with_everything() -> Document:
    """What a destination for files has beyond one for messages: shared credentials, a fetched schema, keys."""
    return changed(
        files(),
        {
            "/customerAuthenticationConfigurations": [],
            "/customerEncryptionConfigurations": [{"encryptionAlgo": "PGPGPG"}],
            "/destinationDelivery/0/authenticationRule": "PLATFORM_AUTHENTICATION",
            "/destinationDelivery/0/authenticationId": "c-1",
            "/audienceMetadataConfig": {"audienceTemplateId": "t-1", "x-headrace": {"authenticationId": "c-2"}},
            "/schemaConfig/dynamicSchemaConfig": {
                "dynamicEnum": {
                    "destinationServerId": "s-4",
                    "authenticationRule": "PLATFORM_AUTHENTICATION",
                    "value": "crates",
                    "responseFormat": "SCHEMA",
                }
            },
            "/schemaConfig/segmentNamespaceAllowList": ["harbor"],
        },
    )


def datasets() -> Document:
    """A destination that datasets are exported to."""
    flags = {"profileRequired": False, "segmentRequired": False, "identityRequired": False}
    return changed(
        files_with_everything(),
        {
            "/sources": ["DATASETS"],
            "/schemaConfig": flags,
            "/batchConfig": DATASET_BATCH,
            "/aggregation": {"aggregationType": "BEST_EFFORT"},
            "/audienceMetadataConfig": ABSENT,
        },
    )


def grouped_messages() -> Document:
    """A destination whose messages leave at once, in groups."""
    key = {"includeSegmentId": True, "includeSegmentStatus": True, "includeIdentity": True, "oneIdentityPerGroup": True}
    policy = {"maxUsersPerRequest": "10", "splitUserById": True, "aggregationKey": key}
    return changed(messages(), {"/aggregation/bestEffortAggregation": policy})


def documentation() -> Document:
    picture = {"file": "form.png", "text": "The form of Harbor Lights."}
    return {
        "overview": "Harbor Lights lights up whoever you mean.",
        "contact": "pilots@harbor.example",
        "useCases": [{"title": "Light up regulars", "text": "A ferry company greets those who come every week."}],
        "prerequisites": "A berth.",
        "identities": {"harbor_id": {"description": "The number on the hull.", "considerations": "Map it first."}},
        "mapping": "Map the number on the hull.",
        "exportedData": "Look at the lamps.",
        "screenshots": {"authenticate": picture, "destinationDetails": picture},
        "additionalResources": [{"title": "Of lamps", "url": "https://docs.harbor.example/lamps"}],
    }


def audience_event(**changes: Any) -> Document:
    return {
        "url": "https://api.harbor.example/lists/{{segment.id}}",
        "httpMethod": "POST",
        "headers": [{"header": "Authorization", "value": "Bearer {{oauth2ServiceAccessToken}}"}],
        "requestBody": {"json": {"title": "{{segment.name}}"}},
        "responseFields": [{"name": "externalAudienceId", "value": "{{body.list.id}}"}],
        "responseErrorFields": [{"name": "message", "value": "{{error.message}}"}],
        **changes,
    }


def audience_template() -> Document:
    return {
        "metadataTemplate": {"name": "Harbor lists", "create": audience_event()},
        "validations": [{"field": "port", "regex": "^[a-z]+$"}],
    }


def audience_template_with_everything() -> Document:
    events = (
        "create",
        "update",
        "delete",
        "validate",
        "notify",
        "createDestination",
        "updateDestination",
        "deleteDestination",
    )
    ours = {"/metadataTemplate/x-headrace": {"find": audience_event(), "list": audience_event()}}
    made = {f"/metadataTemplate/{name}": audience_event() for name in events}
    made["/metadataTemplate/create"]["x-headrace"] = {"createIsIdempotent": True}
    return changed(audience_template(), ours | made)


#: Shared credentials of every kind, without anything else.
KINDS_OF_CREDENTIALS: dict[str, Document] = {
    "basicAuthentication": {"url": "https://harbor.example/login", "username": "pilot", "password": "p-secret"},
    "s3Authentication": {"accessId": "AKIAHARBOR", "secretKey": "k-secret"},
    "sshAuthentication": {"username": "pilot", "sshKey": "s-secret"},
    "azureAuthentication": {
        "url": "https://harbor.dfs.core.windows.net",
        "tenant": "harbor",
        "servicePrincipalId": "principal",
        "servicePrincipalKey": "z-secret",
    },
    "azureConnectionStringAuthentication": {"connectionString": "DefaultEndpointsProtocol=https;AccountKey=c-secret"},
    "oauth2ClientAuthentication": {
        "url": "https://login.harbor.example/token",
        "clientId": "headrace",
        "clientSecret": "o-secret",
        "header": "X-Harbor: h-secret",
        "developerToken": "d-secret",
    },
    "oauth2RefreshTokenAuthentication": {
        "refreshToken": "r-secret",
        "expiration": "3600",
        "clientId": "headrace",
        "clientSecret": "o-secret",
        "url": "https://login.harbor.example/token",
        "header": "X-Harbor: h-secret",
    },
}


def credentials(kind: str = "basicAuthentication") -> Document:
    return {"name": "Shared by all", "type": kind, kind: copy.deepcopy(KINDS_OF_CREDENTIALS[kind])}


#: Documents that are right and give no warning, by the name of their block; together they have every field there is.
WITH_EVERYTHING: dict[str, tuple[Document, ...]] = {
    "Destination": (
        messages(),
        waiting_messages(),
        files(),
        messages_with_everything(),
        files_with_everything(),
        grouped_messages(),
        datasets(),
    ),
    "AudienceTemplate": (audience_template(), audience_template_with_everything()),
    "Credentials": tuple(credentials(kind) for kind in KINDS_OF_CREDENTIALS),
}
