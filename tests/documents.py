"""Servers of every type, and destinations that deliver to them: the least that is right, and everything."""

from typing import Any

from authored import Document, changed, template, text
from schedules import A_BATCH, DATASET_BATCH

#: Where a server of each type is, with the least that can be said.
ADDRESSES: dict[str, Document] = {
    "URL_BASED": {"urlBasedDestination": {"url": text("https://api.harbor.example/members")}},
    "FILE_BASED_S3": {"fileBasedS3Destination": {"bucket": text("harbor"), "path": text("in")}},
    "FILE_BASED_SFTP": {
        "fileBasedSFTPDestination": {"rootDirectory": text("/in"), "hostName": text("drop.harbor.example")}
    },
    "FILE_BASED_ADLS_GEN2": {
        "fileBasedAdlsGen2Destination": {"path": text("abfs://lake@harbor.dfs.core.windows.net/in/")}
    },
    "FILE_BASED_AZURE_BLOB": {
        "fileBasedAzureBlobDestination": {
            "path": text("https://harbor.blob.core.windows.net/"),
            "container": text("in"),
        }
    },
    "FILE_BASED_DLZ": {"fileBasedDlzDestination": {"path": text("in"), "useCase": "dlz_destination"}},
    "FILE_BASED_GOOGLE_CLOUD": {
        "fileBasedGoogleCloudStorageDestination": {"bucket": text("harbor"), "path": text("in")}
    },
}
#: The ways in which operators can sign in at a server of each type.
LOGINS: dict[str, tuple[str, ...]] = {
    "URL_BASED": ("BASIC", "BEARER", "OAUTH2"),
    "FILE_BASED_S3": ("S3",),
    "FILE_BASED_SFTP": ("SFTP_WITH_PASSWORD", "SFTP_WITH_SSH_KEY"),
    "FILE_BASED_ADLS_GEN2": ("AZURE_SERVICE_PRINCIPAL",),
    "FILE_BASED_AZURE_BLOB": ("AZURE_CONNECTION_STRING",),
    "FILE_BASED_DLZ": (),
    "FILE_BASED_GOOGLE_CLOUD": ("GOOGLE_CLOUD_STORAGE",),
}
HTTP: Document = {
    "httpMethod": "POST",
    "contentType": "application/json",
    "requestBody": template(
        "[{% for p in input.profiles %}{{ p | toJson }}{% if not loop.last %},{% endif %}{% endfor %}]"
    ),
}


def a_server(kind: str = "URL_BASED", changes: dict[str, Any] | None = None) -> Document:
    """The least that a server of a type needs to be delivered to."""
    server = {"name": "Harbor", "destinationServerType": kind, **ADDRESSES[kind]}
    if kind == "URL_BASED":
        server["httpTemplate"] = HTTP
    return changed(server, changes or {})


_IS_CHOSEN = "customerData contains '{0}' and customerData.{0} is not empty"
_CHOSEN = "{{% if " + _IS_CHOSEN + " %}}{{{{ customerData.{0} }}}}{{% else %}}{1}{{% endif %}}"

#: Every option of a file's format, some fixed and some asked for.
EVERY_FORMAT: Document = {
    "fileType": template("{{ customerData.fileType }}"),
    "compression": template(_CHOSEN.format("compression", "NONE")),
    "csvOptions": {
        "sep": template("{{ customerData.csvOptions.delimiter }}"),
        "quote": text('"'),
        "quoteAll": text("true"),
        "escape": text("\\"),
        "escapeQuotes": text("true"),
        "charToEscapeQuoteEscaping": text("\\"),
        "header": text("false"),
        "ignoreLeadingWhiteSpace": text("true"),
        "ignoreTrailingWhiteSpace": text("false"),
        "nullValue": text("null"),
        "emptyValue": text(""),
        "dateFormat": text("MM/dd/yyyy"),
        "timestampFormat": text("yyyy-MM-dd'T'HH:mm:ss[.SSS][XXX]"),
        "encoding": text("utf-16"),
        "lineSep": text("\\n"),
        "x-headrace": {"formulaGuard": True},
    },
    "maxFileRowCount": 2_000_000,
    "includeFileManifest": template("{{ customerData.manifest }}"),
    "x-headrace": {"jsonOptions": {"ignoreNullFields": text("false")}},
}
_EVERY_ADDRESS: dict[str, Document] = {
    "URL_BASED": {"urlBasedDestination": {"url": template("https://{{ customerData.region }}.harbor.example/v2")}},
    "FILE_BASED_SFTP": {
        "fileBasedSFTPDestination": {
            "rootDirectory": template("/in/{{ customerData.folder }}"),
            "hostName": text("drop.harbor.example"),
            "port": 2022,
            "encryptionMode": "PGP",
        }
    },
}


def every_server(kind: str) -> Document:
    """A server of a type that says all it can."""
    server = {"name": "Harbor, with everything", "destinationServerType": kind, **ADDRESSES[kind]}
    server |= _EVERY_ADDRESS.get(kind, {})
    if kind != "URL_BASED":
        return {**server, "fileConfigurations": EVERY_FORMAT}
    headers = [{"header": "X-Key", "value": template("{{ customerData.key }} {{ authData.token }}")}]
    http = {**HTTP, "headers": headers, "queryParameters": text("source=headrace")}
    return {**server, "httpTemplate": {**http, "x-headrace": {"messageIdHeader": "Idempotency-Key"}}}


MATCHERS = [{"type": "SOURCE", "value": ["batch"]}]
#: Shared credentials of each kind, by the type of server that they sign in at.
CREDENTIALS: dict[str, Document] = {
    "URL_BASED": {"basicAuthentication": {"username": "headrace", "password": "secret"}},
    "FILE_BASED_S3": {"s3Authentication": {"accessId": "AK", "secretKey": "secret"}},
    "FILE_BASED_SFTP": {"sshAuthentication": {"username": "headrace", "sshKey": "c2VjcmV0"}},
    "FILE_BASED_ADLS_GEN2": {
        "azureAuthentication": {"tenant": "t", "servicePrincipalId": "p", "servicePrincipalKey": "secret"}
    },
    "FILE_BASED_AZURE_BLOB": {
        "azureConnectionStringAuthentication": {"connectionString": "AccountName=harbor;AccountKey=secret"}
    },
}
#: What the least of each login type is.
OAUTH2: Document = {
    "authType": "OAUTH2",
    "grant": "OAUTH2_CLIENT_CREDENTIALS",
    "accessTokenUrl": "https://auth.harbor.example/token",
    "clientId": "headrace",
    "clientSecret": "secret",
}
_CONNECTION_TYPES = {
    "URL_BASED": "Server-to-server",
    "FILE_BASED_S3": "S3",
    "FILE_BASED_SFTP": "SFTP",
    "FILE_BASED_ADLS_GEN2": "Azure Data Lake Storage",
    "FILE_BASED_AZURE_BLOB": "Azure Blob",
    "FILE_BASED_DLZ": "DLZ",
    "FILE_BASED_GOOGLE_CLOUD": "Cloud storage",
}
_SCHEMA = {
    "profileRequired": True,
    "segmentRequired": True,
    "identityRequired": True,
    "segmentNamespaceDenyList": [],
}


def login(auth_type: str) -> Document:
    """The least that is said of a way to sign in."""
    return OAUTH2 if auth_type == "OAUTH2" else {"authType": auth_type}


def signing_in(rule: str, *logins: str) -> dict[str, Any]:
    """The changes by which a destination signs in as said."""
    changes: dict[str, Any] = {
        "/customerAuthenticationConfigurations": [login(name) for name in logins],
        "/destinationDelivery/0/authenticationRule": rule,
    }
    if rule == "PLATFORM_AUTHENTICATION":
        changes["/destinationDelivery/0/authenticationId"] = "credentials"
    return changes


def a_destination(kind: str = "URL_BASED", changes: dict[str, Any] | None = None) -> Document:
    """The least of a destination about which there is nothing to say; it delivers to the server ``server``."""
    is_streaming, logins = kind == "URL_BASED", LOGINS[kind]
    delivery: Document = {"destinationServerId": "server", "authenticationRule": "NONE"}
    if not is_streaming:
        delivery["deliveryMatchers"] = MATCHERS
    document: Document = {
        "name": "Harbor",
        "description": "Takes people aboard.",
        "status": "TEST",
        "uiAttributes": {
            "category": "cloudStorage",
            "connectionType": _CONNECTION_TYPES[kind],
            "frequency": "Streaming" if is_streaming else "Batch",
        },
        "schemaConfig": _SCHEMA,
        "destinationDelivery": [delivery],
    }
    if is_streaming:
        document["identityNamespaces"] = {"email": {"acceptedGlobalNamespaces": {"Email": {}}}}
        policy = {"maxUsersPerRequest": 10, "splitUserById": False}
        document["aggregation"] = {"aggregationType": "BEST_EFFORT", "bestEffortAggregation": policy}
    else:
        document["batchConfig"] = A_BATCH
    signed_in = changed(document, signing_in("CUSTOMER_AUTHENTICATION", *logins) if logins else {})
    return changed(signed_in, changes or {})


#: The changes by which a destination of files takes datasets.
OF_DATASETS: dict[str, Any] = {
    "/sources": ["DATASETS"],
    "/aggregation": {"aggregationType": "BEST_EFFORT"},
    "/batchConfig": DATASET_BATCH,
    "/schemaConfig": {"profileRequired": False, "segmentRequired": False, "identityRequired": False},
    "/maxProfileAttributes": 9000,
    "/maxIdentityAttributes": 1000,
}
#: What the templates of ``every_server`` read.
EVERY_FIELD: list[Document] = [
    *({"name": name, "title": name.title(), "type": "string"} for name in ("region", "folder", "key", "manifest")),
    {"name": "fileType", "title": "File type", "type": "string", "isRequired": True, "enum": ["csv", "json"]},
    {"name": "compression", "title": "Compression", "type": "string", "enum": ["GZIP", "NONE"], "default": "NONE"},
    {
        "name": "csvOptions",
        "title": "CSV",
        "type": "object",
        "conditional": {"field": "fileType", "operator": "EQUALS", "value": "csv"},
        "properties": [
            {
                "name": "delimiter",
                "title": "Delimiter",
                "type": "string",
                "namedEnum": [{"name": "Comma", "value": ","}, {"name": "Tab", "value": "\t"}],
                "default": ",",
            }
        ],
    },
]


def _bearer() -> list[Document]:
    return [{"header": "Authorization", "value": "Bearer {{oauth2ServiceAccessToken}}"}]


def an_audience_template(changes: dict[str, Any] | None = None) -> Document:
    """Requests that make an audience at the partner, and take it away again."""
    url = "https://api.harbor.example/{{customerData.region}}/audiences"
    return changed(
        {
            "metadataTemplate": {
                "name": "Harbor",
                "create": {
                    "url": url,
                    "httpMethod": "POST",
                    "headers": _bearer(),
                    "requestBody": {
                        "json": {"name": "{{segment.name}}", "columns": ["{{{segmentEnrichmentAttributes}}}"], "n": 1}
                    },
                    "responseFields": [{"name": "externalAudienceId", "value": "{{body.list[0].id}}"}],
                    "responseErrorFields": [{"name": "message", "value": "{{error.message}}"}],
                },
                "delete": {"url": f"{url}/{{{{segment.alias}}}}", "httpMethod": "DELETE", "headers": _bearer()},
            },
            "validations": [{"field": "region", "regex": "^[a-z]+$"}],
        },
        changes or {},
    )
