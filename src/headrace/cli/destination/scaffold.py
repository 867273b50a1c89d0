"""The folder that a new destination begins with: every file valid as it stands, and full of comments."""

import re
from dataclasses import dataclass
from enum import StrEnum
from textwrap import dedent, indent

from headrace.errors import AuthoringError


class Kind(StrEnum):
    """Where a destination's data goes."""

    streaming = "streaming"
    s3 = "s3"
    sftp = "sftp"
    azure_blob = "azure-blob"
    adls_gen2 = "adls-gen2"
    google_cloud = "google-cloud"
    dlz = "dlz"


class SignIn(StrEnum):
    """How operators of a streaming destination sign in."""

    bearer = "bearer"
    basic = "basic"
    oauth2 = "oauth2"
    none = "none"


@dataclass(frozen=True, slots=True)
class _Storage:
    """What a kind of storage is called, how operators sign in there, and the members of its block."""

    server_type: str
    block: str
    connection_type: str
    sign_in: tuple[str, ...]
    members: str
    asks_for: tuple[str, ...]


def _asked(name: str, field: str) -> str:
    return f'{name}: {{templatingStrategy: PEBBLE_V1, value: "{{{{ customerData.{field} }}}}"}}'


_STORAGES = {
    Kind.s3: _Storage(
        "FILE_BASED_S3", "fileBasedS3Destination", "S3", ("S3",),
        f"{_asked('bucket', 'bucket')}\n{_asked('path', 'path')}", ("bucket", "path"),
    ),
    Kind.sftp: _Storage(
        "FILE_BASED_SFTP", "fileBasedSFTPDestination", "SFTP", ("SFTP_WITH_PASSWORD", "SFTP_WITH_SSH_KEY"),
        f"{_asked('rootDirectory', 'path')}\n{_asked('hostName', 'host')}\nport: 22", ("host", "path"),
    ),
    Kind.azure_blob: _Storage(
        "FILE_BASED_AZURE_BLOB", "fileBasedAzureBlobDestination", "Azure Blob", ("AZURE_CONNECTION_STRING",),
        f"{_asked('path', 'path')}\n{_asked('container', 'container')}", ("container", "path"),
    ),
    Kind.adls_gen2: _Storage(
        "FILE_BASED_ADLS_GEN2", "fileBasedAdlsGen2Destination", "Azure Data Lake Storage",
        ("AZURE_SERVICE_PRINCIPAL",), _asked("path", "path"), ("path",),
    ),
    Kind.google_cloud: _Storage(
        "FILE_BASED_GOOGLE_CLOUD", "fileBasedGoogleCloudStorageDestination", "Cloud storage",
        ("GOOGLE_CLOUD_STORAGE",), f"{_asked('bucket', 'bucket')}\n{_asked('path', 'path')}", ("bucket", "path"),
    ),
    Kind.dlz: _Storage(
        "FILE_BASED_DLZ", "fileBasedDlzDestination", "DLZ", (),
        f"{_asked('path', 'path')}\nuseCase: dlz_destination", ("path",),
    ),
}  # fmt: skip

_BODY = """\
{#- One person a message. `headrace template check` tries this file with people who break careless templates. -#}
{
  "email": "{{ input.profile.identityMap.email[0].id }}",
  "joined": [{% for audience in input.profile.segmentMembership.ups | added %}"{{ audience.key }}"{% if not loop.last %}, {% endif %}{% endfor %}],
  "left": [{% for audience in input.profile.segmentMembership.ups | removed %}"{{ audience.key }}"{% if not loop.last %}, {% endif %}{% endfor %}]
}
"""  # noqa: E501 - a template is one text

_OAUTH2 = """\
  - authType: OAUTH2
    grant: OAUTH2_CLIENT_CREDENTIALS
    accessTokenUrl: https://api.example.com/oauth/token
    clientId: the-id-that-the-partner-gave-you
    # A secret is never in a file: set this variable where you push.
    clientSecret: {{env: {variable}_CLIENT_SECRET}}
"""


def new_folder(name: str, kind: Kind, sign_in: SignIn) -> dict[str, str]:
    """
    Return the files of a new destination by their paths: ``validate`` finds nothing to say about them.

    Raises:
        AuthoringError: the name is none.
    """
    if not name.strip() or not name.isprintable():
        raise AuthoringError(f"{name!r} is no name for a destination: write one line of text")
    stem = stem_of(name)
    if kind is Kind.streaming:
        return _streaming(name, stem, sign_in)
    return _file_based(name, stem, _STORAGES[kind])


def stem_of(name: str) -> str:
    """
    Return the name of a file for an object.

    >>> stem_of("Müller & Söhne: lists")
    'muller-sohne-lists'
    """
    plain = name.lower().translate(str.maketrans("äöüéèáàñç", "aoueeaanc"))
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-") or "unnamed"


def _streaming(name: str, stem: str, sign_in: SignIn) -> dict[str, str]:
    server = f"""\
        # Where messages go, and the request that carries each.
        name: {_quoted(f"{name} API")}
        destinationServerType: URL_BASED
        urlBasedDestination:
          url: {{templatingStrategy: NONE, value: "https://api.example.com/v1/people"}}
        httpTemplate:
          httpMethod: POST
          contentType: application/json
          requestBody:
            templatingStrategy: PEBBLE_V1
            file: {stem}.body.peb
            x-headrace: {{escaping: json}}  # whatever is printed is safe inside a JSON string
        """
    rest = f"""\
        identityNamespaces:
          email:
            acceptsCustomNamespaces: true
            acceptedGlobalNamespaces:
              Email: {{requiredTransformation: sha256(lower($))}}  # hashed before it leaves
        schemaConfig:
          profileRequired: true   # operators may map attributes
          segmentRequired: true
          identityRequired: true
          segmentNamespaceDenyList: []
        aggregation:
          aggregationType: BEST_EFFORT
          bestEffortAggregation: {{maxUsersPerRequest: 1, splitUserById: false}}
        destinationDelivery:
          - authenticationRule: {"NONE" if sign_in is SignIn.none else "CUSTOMER_AUTHENTICATION"}
            destinationServerId: servers/{stem}
        """
    head = _head(name, "Server-to-server", "Streaming", "advertising")
    return {
        "destination.yaml": head + _signing_in(stem, sign_in) + dedent(rest) + _documentation(name),
        f"servers/{stem}.yaml": dedent(server),
        f"servers/{stem}.body.peb": _BODY,
    }


def _file_based(name: str, stem: str, storage: _Storage) -> dict[str, str]:
    server = f"""\
# Where files go, and how they look.
name: {_quoted(f"{name} storage")}
destinationServerType: {storage.server_type}
{storage.block}:
{indent(storage.members, "  ")}
fileConfigurations:
  fileType: {{templatingStrategy: NONE, value: csv}}
  compression: {{templatingStrategy: NONE, value: NONE}}
  csvOptions:
    quote: {{templatingStrategy: NONE, value: '"'}}  # around values that need it; nothing is U+0000
  includeFileManifest: {{templatingStrategy: NONE, value: "true"}}
"""
    entries = "".join(f"  - authType: {kind}\n" for kind in storage.sign_in)
    rule = "CUSTOMER_AUTHENTICATION" if storage.sign_in else "NONE"
    fields = "".join(
        f"  - {{name: {field}, title: {field.capitalize()}, type: string, isRequired: true}}\n"
        for field in storage.asks_for
    )
    rest = f"""\
        schemaConfig:
          profileRequired: true
          segmentRequired: true
          identityRequired: true
          segmentNamespaceDenyList: []
        batchConfig:
          allowMandatoryFieldSelection: true
          allowDedupeKeyFieldSelection: true
          defaultExportMode: DAILY_FULL_EXPORT
          allowedExportModes: [DAILY_FULL_EXPORT, FIRST_FULL_THEN_INCREMENTAL]
          allowedScheduleFrequency: [ONCE, DAILY, EVERY_6_HOURS]
          defaultFrequency: DAILY
          defaultStartTime: "00:00"
          filenameConfig:
            allowedFilenameAppendOptions: [SEGMENT_NAME, DATETIME]
            defaultFilenameAppendOptions: [DATETIME]
            defaultFilename: "%DESTINATION%_%SEGMENT_ID%"
        destinationDelivery:
          - authenticationRule: {rule}
            deliveryMatchers: [{{type: SOURCE, value: [batch]}}]
            destinationServerId: servers/{stem}
        """
    signing_in = f"customerAuthenticationConfigurations:{chr(10) + entries if entries else ' []' + chr(10)}"
    head = _head(name, storage.connection_type, "Batch", "cloudStorage")
    asked = f"# What operators fill in; templates read it as customerData.NAME.\ncustomerDataFields:\n{fields}"
    return {
        "destination.yaml": head + signing_in + asked + dedent(rest) + _documentation(name),
        f"servers/{stem}.yaml": server,
    }


def _head(name: str, connection_type: str, frequency: str, category: str) -> str:
    return f"""\
# {name}: what operators see, what they are asked for, what they may map.
name: {_quoted(name)}
description: {_quoted(f"Brings audiences to {name}.")}
status: TEST
uiAttributes:
  documentationLink: https://example.com/docs
  category: {category}
  connectionType: {connection_type}
  frequency: {frequency}
"""


def _signing_in(stem: str, sign_in: SignIn) -> str:
    if sign_in is SignIn.none:
        return "customerAuthenticationConfigurations: []\n"
    variable = re.sub(r"[^A-Z0-9]+", "_", stem.upper())
    variable = f"_{variable}" if variable[0].isdigit() else variable
    entry = _OAUTH2.format(variable=variable) if sign_in is SignIn.oauth2 else f"  - authType: {sign_in.upper()}\n"
    return f"# How operators sign in at the partner.\ncustomerAuthenticationConfigurations:\n{entry}"


def _documentation(name: str) -> str:
    return f"""\
# What `headrace destination docs` cannot know by itself.
x-headrace:
  documentation:
    contact: integrations@example.com
    useCases:
      - title: Reach people where they are
        text: {_quoted(f"A shop sends the audience of recent buyers to {name} and greets them there.")}
"""


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
