"""Destinations of files as they are written in earnest: taken without an error and without a warning."""

import pytest

from authored import Document, template, text
from documents import MATCHERS
from headrace.services.checks import DESTINATION, EXAMINE, SERVER

CHOSEN = (
    "{% if customerData contains 'packing' and customerData.packing is not empty %}"
    "{{customerData.packing}}{% else %}NONE{% endif %}"
)


class One:
    """A sandbox with one server."""

    def __init__(self, server: Document) -> None:
        self.server = server

    def get(self, noun, id_):
        return self.server if (noun, id_) == (SERVER, "1") else None

    def all_of(self, noun):
        return []


def delivered_to(**changes):
    return [
        {"authenticationRule": "CUSTOMER_AUTHENTICATION", "destinationServerId": "1", "deliveryMatchers": MATCHERS}
        | changes
    ]


INBOX_SERVER = {
    "name": "Tern inbox",
    "destinationServerType": "FILE_BASED_SFTP",
    "fileBasedSFTPDestination": {
        "hostName": text("in.tern.example"),
        "rootDirectory": template("/inbox/{{customerData.directory}}"),
        "port": 2022,
        "encryptionMode": "PGP",
    },
    "fileConfigurations": {
        "fileType": template("{{customerData.kind}}"),
        "csvOptions": {"sep": template("{{customerData.lines.between}}")},
    },
}
INBOX = {
    "name": "Tern",
    "description": "Puts the members of audiences into an inbox of Tern.",
    "status": "TEST",
    "customerAuthenticationConfigurations": [{"authType": "SFTP_WITH_PASSWORD"}, {"authType": "SFTP_WITH_SSH_KEY"}],
    "customerEncryptionConfigurations": [],
    "customerDataFields": [
        {"name": "directory", "title": "Directory", "type": "string", "isRequired": True},
        {
            "name": "kind",
            "title": "Kind of file",
            "type": "string",
            "isRequired": True,
            "enum": ["csv", "json", "parquet"],
            "default": "csv",
        },
        {
            "name": "lines",
            "title": "Lines",
            "type": "object",
            "conditional": {"field": "kind", "operator": "EQUALS", "value": "csv"},
            "properties": [
                {
                    "name": "between",
                    "title": "Between values",
                    "type": "string",
                    "default": ",",
                    "namedEnum": [{"name": "Comma", "value": ","}, {"name": "Tab", "value": "\t"}],
                }
            ],
        },
    ],
    "uiAttributes": {
        "documentationLink": "https://docs.tern.example/inbox",
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
            {"destination": "identityMap.Tern_ID", "mandatoryRequired": True, "primaryKeyRequired": True},
            {"sourceType": "text/plain", "source": "metadata.segment.alias", "destination": "list"},
        ],
        "segmentNamespaceDenyList": [],
    },
    "audienceMetadataConfig": {"mapUserInput": True},
    "batchConfig": {
        "allowMandatoryFieldSelection": True,
        "allowDedupeKeyFieldSelection": True,
        "defaultExportMode": "DAILY_FULL_EXPORT",
        "allowedExportModes": ["DAILY_FULL_EXPORT", "FIRST_FULL_THEN_INCREMENTAL"],
        "allowedScheduleFrequency": ["ONCE", "DAILY", "EVERY_6_HOURS", "WEEKLY"],
        "defaultFrequency": "DAILY",
        "defaultStartTime": "05:15",
        "filenameConfig": {
            "defaultFilename": "%DESTINATION%_%SEGMENT_ID%",
            "allowedFilenameAppendOptions": ["SEGMENT_NAME", "DATETIME", "CUSTOM_TEXT"],
            "defaultFilenameAppendOptions": ["DATETIME"],
        },
        "segmentGroupingEnabled": False,
    },
    "destinationDelivery": delivered_to(),
    "backfillHistoricalProfileData": True,
}
BUCKET_SERVER = {
    "name": "Gannet bucket",
    "destinationServerType": "FILE_BASED_S3",
    "fileBasedS3Destination": {"bucket": template("{{customerData.place}}"), "path": text("arrivals/gannet")},
    "fileConfigurations": {
        "fileType": text("csv"),
        "compression": template(CHOSEN),
        "csvOptions": {"sep": text("|"), "quote": text('"'), "nullValue": text("NULL"), "header": text("true")},
        "maxFileRowCount": 2_000_000,
        "includeFileManifest": template("{{customerData.list}}"),
    },
}
BUCKET = {
    "name": "Gannet",
    "description": "Writes the members of audiences into a bucket.",
    "status": "TEST",
    "customerAuthenticationConfigurations": [{"authType": "S3"}],
    "customerDataFields": [
        {"name": "place", "title": "Bucket", "type": "string", "isRequired": True},
        {"name": "packing", "title": "Packing", "type": "string", "enum": ["NONE", "GZIP"], "default": "NONE"},
        {"name": "list", "title": "With a list", "type": "string", "enum": ["true", "false"], "default": "false"},
    ],
    "uiAttributes": {
        "category": "cloudStorage",
        "connectionType": "S3",
        "frequency": "Batch",
        "flowRunsSupported": True,
        "monitoringSupported": True,
    },
    "schemaConfig": {"profileRequired": True, "segmentRequired": True, "identityRequired": True},
    "destinationDelivery": delivered_to(),
    "batchConfig": {
        **INBOX["batchConfig"],
        "defaultExportMode": "FIRST_FULL_THEN_INCREMENTAL",
        "allowedScheduleFrequency": ["DAILY", "EVERY_6_HOURS"],
    },
    "backfillHistoricalProfileData": True,
}
ZONE_SERVER = {
    "name": "Landing zone",
    "destinationServerType": "FILE_BASED_DLZ",
    "fileBasedDlzDestination": {"path": template("{{customerData.folder}}"), "useCase": "dlz_destination"},
    "fileConfigurations": {"fileType": text("PARQUET")},
}
ZONE = {
    **BUCKET,
    "name": "Landing zone",
    "customerAuthenticationConfigurations": [],
    "customerDataFields": [{"name": "folder", "title": "Folder", "type": "string", "isRequired": True}],
    "uiAttributes": {"category": "cloudStorage", "connectionType": "DLZ", "frequency": "Batch"},
    "destinationDelivery": delivered_to(authenticationRule="NONE"),
}


@pytest.mark.parametrize(
    ("server", "destination"),
    [(INBOX_SERVER, INBOX), (BUCKET_SERVER, BUCKET), (ZONE_SERVER, ZONE)],
    ids=["an inbox over SFTP", "a bucket", "the landing zone"],
)
def test_a_whole_destination_is_taken_without_a_word(server, destination):
    others = One(server)

    assert EXAMINE[SERVER](server, others, None, True).problems == []
    assert EXAMINE[DESTINATION](destination, others, None, True).problems == []
