"""What an operator may set: an option of ``headrace serve``, or a variable ``HEADRACE_…`` of the environment."""

import itertools
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Annotated
from urllib.parse import parse_qs, unquote, urlsplit

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

#: Fault schedule of our own, about three days; the original's drops after 45 seconds.
DEFAULT_RETRY_STEPS = (15, 30, 300, 1800, 7200, 18000, 36000, 50400, 64800, 79200)


def default_key_file() -> Path:
    """Name the file of the master key: outside every data directory, so that a backup of one holds no key."""
    return Path.home() / ".config" / "headrace" / "master.key"


class Settings(BaseSettings):
    """The settings of one Headrace process."""

    model_config = SettingsConfigDict(env_prefix="HEADRACE_", frozen=True, extra="ignore")

    data_dir: Path = Field(Path("headrace-data"), description="Where everything that must last is kept.")
    database_url: str = Field(
        "",
        description="The PostgreSQL database that holds the store, `postgresql://user@host/database`; empty: SQLite in "
        "the data directory.",
        repr=False,
    )
    key_file: Path = Field(
        default_factory=default_key_file,
        description="The master key that wraps the keys of secrets. Keep it apart from backups of the data directory.",
    )
    erasure_log: Path | None = Field(
        None,
        description="The file that keeps in mind who was erased, as keyed hashes, for the restore of an older "
        "backup. Empty: `erasures.log` in the data directory. Put it where the loss of that does not reach it.",
    )
    reserve_bytes: int = Field(
        32 << 20,
        ge=0,
        description="How large the file `reserve` in the data directory is, which is given up when the disk is full, "
        "so that there is room to deliver and to delete; 0: there is none.",
    )
    host: str = Field("127.0.0.1", description="The address the REST API listens on.")
    port: int = Field(8000, ge=0, le=65535, description="The port the REST API listens on; 0 takes a free one.")
    egress_allow: str = Field(
        "",
        description="Origins and networks that may be reached although they are private or plain http: "
        "`http://127.0.0.1:9000, 10.1.0.0/16`.",
    )
    egress_proxy: str = Field(
        "",
        description="A forward proxy that all that goes out passes through, `http://proxy.internal:3128`; it looks "
        "names up, and must itself refuse what is not public.",
        repr=False,
    )
    transport: str = Field(
        "headrace",
        pattern="^(headrace|pyreqwest)$",
        description="What sends requests: `headrace` (HTTP/1.1), or `pyreqwest` (HTTP/2 as well).",
    )
    tls_ca_file: Path | None = Field(
        None, description="Certificates, as PEM, that are trusted besides those of the system."
    )
    tls_client_certificates: str = Field(
        "",
        description="Certificates that we show at partners that ask for one, each a PEM file with its key: "
        "`https://api.partner.example=/etc/headrace/partner.pem`, separated by commas.",
    )
    public_url: str = Field(
        "",
        description="The address under which browsers reach this Headrace, `https://headrace.example`; partners send "
        "people back to it who signed in there. Empty: the address it listens on.",
    )
    allow_password_grant: bool = Field(
        False,
        description="Whether operators may sign in with OAuth 2's password grant, for which they hand their password "
        "to us.",
    )
    request_deadline: float = Field(
        30.0, gt=0, le=120, description="Seconds a request to a partner may take in all, from connecting to its answer."
    )
    deliver: bool = Field(
        True,
        description="Whether `headrace serve` delivers; if not, `headrace worker` processes on the same PostgreSQL do.",
    )
    probe_after: float = Field(
        5.0,
        gt=0,
        le=300,
        description="Seconds after which an account whose requests keep failing is probed; from one probe to the next "
        "it is twice as long, and sixty times as long at the most.",
    )
    requests_per_account: int = Field(
        8, ge=1, le=1000, description="How many requests may be under way for one account at a time."
    )
    calls_per_minute: int = Field(
        60,
        ge=1,
        le=1_000_000,
        description="How often in a minute one caller of the REST API may make Headrace call partners: to try an "
        "account, to look something up. All callers of an organization together: five times as often.",
    )
    unreached_after: float = Field(
        10.0,
        ge=0,
        le=60,
        description="Seconds after which whoever made Headrace call a partner is told that it was not reached, "
        "whatever the reason, so that the time tells nothing of a network. Less than 10 tells something.",
    )
    most_destinations: int = Field(
        100, ge=1, description="The most target connections of one sandbox; the original's limit."
    )
    quota_waiting: int = Field(
        20_000_000, ge=0, description="The most changes of one sandbox that may wait to be sent; 0: any number."
    )
    quota_people: int = Field(
        100_000_000, ge=0, description="The most people that one sandbox may have; 0: as many as there is room for."
    )
    quota_requests: int = Field(
        60_000, ge=0, description="The most requests a minute to take profiles of one sandbox in; 0: any number."
    )
    quota_bytes: int = Field(
        100 << 30,
        ge=0,
        description="The most bytes that files of one sandbox may have: uploads, lists of members, copies of what "
        "databases answered, landing zones. 0: as many as there is room for.",
    )
    renderers: int = Field(
        0, ge=0, le=64, description="Processes that render messages; 0 takes as many as there are processors."
    )
    retry_steps: Annotated[tuple[float, ...], NoDecode] = Field(
        DEFAULT_RETRY_STEPS,
        description="Seconds to wait before each retry of a message; after the last one its changes are parked.",
    )
    history_days: int = Field(
        30,
        ge=0,
        le=3650,
        description="Days for which it is kept what became of whose changes; 0: of how many alone, and of nobody.",
    )
    hours_days: int = Field(
        90, ge=1, le=3650, description="Days for which the ledger is kept by the hour; its sums are kept for ever."
    )
    max_request_bytes: int = Field(64 << 20, ge=1024, description="The largest request body the REST API reads.")
    max_upload_bytes: int = Field(
        1 << 30, ge=1024, description="The largest file with members of an audience; it is never whole in memory."
    )
    wrap_read_destination: bool = Field(
        False,
        description='Whether `GET /destinations/{id}` answers `{"items": [one]}`, as the original once did, '
        "or the object itself.",
    )
    self_review: bool = Field(
        False, description="Whether a reviewer may decide a request to publish that they submitted themselves."
    )
    dataset_directories: str = Field(
        "",
        description="The directories below which datasets may lie, with commas between; `acme@org/prod=/srv/people` is "
        "for one sandbox, `acme@org=/srv/acme` for all of one organization. Empty: datasets have no files.",
    )
    dataset_sources: Path | None = Field(
        None,
        description="A file (TOML) of the databases and catalogs that datasets may read, each with its name; see "
        "[datasets](datasets.md).",
    )
    export_directories: str = Field(
        "",
        description="The directories below which files may be written on this machine, with commas between; for "
        "development. Empty: there are none.",
    )
    landing_directory: Path | None = Field(
        None,
        description="The directory of the landing zones; where several processes share a store, they share it too. "
        "Empty: `landing` in the data directory.",
    )
    landing_days: int = Field(7, ge=1, le=3650, description="Days for which files in landing zones are kept.")
    landing_credentials_days: int = Field(
        7,
        ge=1,
        le=365,
        description="Days for which the credentials of a landing zone are good once they are handed out.",
    )
    aws_access_key_id: str = Field(
        "", description="Who we are at Amazon, where partners let us assume roles; empty: no role is assumed."
    )
    aws_secret_access_key: str = Field("", description="The secret that goes with it.", repr=False)
    aws_sts_url: str = Field("https://sts.us-east-1.amazonaws.com/", description="Where roles of Amazon's are assumed.")
    azure_authority_url: str = Field(
        "",
        description="Where principals of data lakes get their tokens, for an Azure of one's own; empty: where the "
        "account's cloud has it.",
    )
    pgp_signing_key: Path | None = Field(
        None,
        description="A file with a private key of OpenPGP, without a passphrase, that encrypted files are signed with; "
        "empty: they are not signed.",
    )
    metrics_token: str = Field(
        "",
        description="Bearer token for `/metrics`; without one they are served on a loopback address only.",
        repr=False,
    )
    smtp_url: str = Field(
        "",
        description="The server that mail of alerts is handed to, `smtp://mail.example.com:587` or "
        "`smtps://mail.example.com`; empty: no mail is sent.",
    )
    smtp_tls: str = Field(
        "starttls",
        pattern="^(starttls|none)$",
        description="How the way to an `smtp://` server is secured: `starttls`, or `none` for one on this machine.",
    )
    smtp_user: str = Field("", description="Who we are at the mail server; empty: nobody.")
    smtp_password: str = Field("", description="The password that goes with it.", repr=False)
    smtp_from: str = Field("", description="The address that mail of alerts is from.")
    alert_free_megabytes: int = Field(
        500, ge=0, description="The alert `storage-full` is raised when less is left where the data directory is."
    )
    log_format: str = Field("text", pattern="^(text|json)$", description="`text` for people, `json` for machines.")

    @property
    def own_url(self) -> str:
        """The address that this process listens on."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def browser_url(self) -> str:
        """The address under which browsers reach this process, without a slash at its end."""
        return self.public_url.rstrip("/") or self.own_url

    def secrets(self) -> list[str]:
        """Return what must not be told of these settings: the metrics' token, and passwords, also in addresses."""
        addresses = (self.database_url, self.egress_proxy)
        return [
            text
            for text in (
                self.metrics_token,
                self.smtp_password,
                self.aws_secret_access_key,
                *itertools.chain(*map(_passwords, addresses)),
            )
            if text
        ]

    @field_validator("retry_steps", mode="before")
    @classmethod
    def _split_steps(cls, value: object) -> object:
        return [float(step) for step in value.split(",") if step.strip()] if isinstance(value, str) else value


def _passwords(address: str) -> Iterator[str]:
    """Yield the password in an address, as it is written and as it is read; what is no address is refused elsewhere."""
    with suppress(ValueError):
        parts = urlsplit(address)
        yield from (parts.password or "", unquote(parts.password or ""), *parse_qs(parts.query).get("password", ()))
