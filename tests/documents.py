"""Documents that authors write: small ones that are right, whole ones that have everything, and how to change them."""

import copy
from typing import Any

Document = dict[str, Any]


def text(value: str) -> Document:
    """A text that is used as it stands."""
    return {"templatingStrategy": "NONE", "value": value}


def template(value: str) -> Document:
    return {"templatingStrategy": "PEBBLE_V1", "value": value}


def changed(document: Document, changes: dict[str, Any]) -> Document:
    """A copy in which the fields at the given pointers have other values; ``...`` takes a field away."""
    new: Any = copy.deepcopy(document)
    for where, value in changes.items():
        *way, last = where.split("/")[1:]
        place = new
        for step in way:
            place = place[int(step)] if isinstance(place, list) else place.setdefault(step, {})
        if value is ...:
            del place[last]
        elif isinstance(place, list):
            place[int(last) :] = [value]
        else:
            place[last] = value
    return new


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
    },
    "maxFileRowCount": 2_000_000,
    "includeFileManifest": template("{{ customerData.manifest }}"),
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


#: Everything that can be said of when files are written.
EVERY_BATCH: Document = {
    "allowMandatoryFieldSelection": True,
    "allowDedupeKeyFieldSelection": True,
    "defaultExportMode": "DAILY_FULL_EXPORT",
    "allowedExportModes": ["DAILY_FULL_EXPORT", "FIRST_FULL_THEN_INCREMENTAL"],
    "allowedScheduleFrequency": ["ONCE", "DAILY", "WEEKLY", "MONTHLY", "EVERY_3_HOURS", "EVERY_12_HOURS"],
    "defaultFrequency": "DAILY",
    "defaultStartTime": "04:30",
    "filenameConfig": {
        "allowedFilenameAppendOptions": ["SEGMENT_NAME", "DATETIME", "CUSTOM_TEXT"],
        "defaultFilenameAppendOptions": ["DATETIME"],
        "defaultFilename": "%DESTINATION%_%SEGMENT_ID%",
    },
    "segmentGroupingEnabled": False,
    "autoSelectJoinKeyOnPartnerSchemaSelection": False,
    "joinKeyTitle": "DEDUPLICATION KEY",
}
A_BATCH: Document = {
    "filenameConfig": {"allowedFilenameAppendOptions": ["SEGMENT_ID", "DATETIME"], "defaultFilenameAppendOptions": []}
}
DATASET_BATCH: Document = {
    "allowedExportModes": ["FIRST_FULL_THEN_INCREMENTAL", "DAILY_FULL_EXPORT"],
    "allowedScheduleFrequency": [],
    "defaultExportMode": "FIRST_FULL_THEN_INCREMENTAL",
    "defaultFrequency": "EVERY_6_HOURS",
    "filenameConfig": {
        "allowedFilenameAppendOptions": [],
        "defaultFilenameAppendOptions": [],
        "defaultFilename": "",
    },
    "datasetBatchConfig": {
        "allowedFoldernameAppendOptions": ["DESTINATION", "DATASET_ID", "DATASET_NAME", "EXPORT_TIME", "CUSTOM_TEXT"],
        "defaultFoldernameAppendOptions": ["DATASET_ID", "EXPORT_TIME"],
        "allowedExportModes": ["DAILY_FULL_EXPORT", "FIRST_FULL_THEN_INCREMENTAL"],
        "allowedScheduleFrequency": ["DAILY", "EVERY_3_HOURS", "EVERY_6_HOURS", "ONCE"],
    },
}
