"""
What is made of the operator's settings: the ways out, the places where things are kept, and how long is waited.

Each function reads a few settings that belong together, and says what is wrong with them. ``app.py`` puts together what
they return.
"""

import os
import pkgutil
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from headrace.clock import Clock
from headrace.connect.buckets import Buckets
from headrace.connect.egress import AllowList, Egress
from headrace.connect.http import HttpTransport
from headrace.connect.keyring import Keyring
from headrace.connect.mail import Mailer, MailServer
from headrace.connect.pgp import Signer, read_signer
from headrace.connect.proxy import Proxy
from headrace.connect.reqwest import ReqwestTransport
from headrace.connect.retry import RetryPolicy
from headrace.connect.storage import House, Way
from headrace.connect.tls import Tls
from headrace.datasets.places import Places
from headrace.datasets.sources import Sources
from headrace.errors import HeadraceError, OperationError
from headrace.events import Board
from headrace.services.datasets import Ground
from headrace.services.erasure_log import FILE as ERASURE_LOG
from headrace.services.landing.zones import LandingZones
from headrace.settings import Settings
from headrace.store.database import Store
from headrace.store.quotas import Quota

#: Where the operator says that traces go; without one there are none.
_TRACED_TO = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


def retry_policy(settings: Settings) -> RetryPolicy:
    """
    Return the schedule of waits that the operator has set.

    Raises:
        OperationError: a step is not a time to wait.
    """
    try:
        return RetryPolicy(tuple(timedelta(seconds=step) for step in settings.retry_steps))
    except (ValueError, OverflowError):
        raise OperationError("HEADRACE_RETRY_STEPS: a step is a number of seconds from 0 on, and has an end") from None


def transport_of(settings: Settings) -> HttpTransport | ReqwestTransport:
    """
    Make the transport that the operator chose, behind the way out that the operator allows.

    Raises:
        OperationError: one of its settings is not right.
    """
    egress, tls = _way_out(settings)
    kind = ReqwestTransport if settings.transport == "pyreqwest" else HttpTransport
    return kind(egress, tls=tls, connections=max(32, settings.requests_per_account))


def buckets_of(settings: Settings) -> Buckets:
    """
    Make the way to object storage, behind the way out that the operator allows.

    Raises:
        OperationError: one of its settings is not right.
    """
    return Buckets(*_way_out(settings))


def ground_of(settings: Settings, buckets: Buckets) -> Ground:
    """
    Read from where the operator allows datasets to be read.

    Raises:
        OperationError: a directory is not there, the file of sources is not right, or a bucket may not be reached.
    """
    places, sources = Places.parse(settings.dataset_directories), Sources.read(settings.dataset_sources)
    for source in sources.of_kind("s3"):
        buckets.admit(source.endpoint)
    return Ground(places, sources, settings.data_dir.absolute() / "datasets", buckets)


def storage_way(settings: Settings, buckets: Buckets) -> Way:
    """
    Make the way to partners' storages, behind the way out that the operator allows.

    Raises:
        OperationError: one of its settings is not right.
    """
    key, secret, sts = settings.aws_access_key_id, settings.aws_secret_access_key, settings.aws_sts_url
    if bool(key) != bool(secret):
        raise OperationError("HEADRACE_AWS_ACCESS_KEY_ID and HEADRACE_AWS_SECRET_ACCESS_KEY go together; set both")
    house = House(key, secret, sts_url=sts) if key else None
    directories = tuple(Path(one.strip()) for one in settings.export_directories.split(",") if one.strip())
    egress, tls = _way_out(settings)
    authority = settings.azure_authority_url
    return Way(egress, buckets.guard, tls, house=house, directories=directories, authority=authority)


def signer_of(settings: Settings) -> Signer | None:
    """
    Read the key that the house signs encrypted files with; ``None``: it signs none.

    Raises:
        OperationError: the file cannot be read, or holds no such key.
    """
    file = settings.pgp_signing_key
    if file is None:
        return None
    try:
        return read_signer(file.read_text())
    except (OSError, ValueError):
        raise OperationError(f"HEADRACE_PGP_SIGNING_KEY: '{file}' cannot be read") from None
    except HeadraceError as error:
        raise OperationError(f"HEADRACE_PGP_SIGNING_KEY: {error.message}") from None


def mailer_of(settings: Settings) -> Mailer | None:
    """
    Make the way to the operator's mail server; ``None``: there is none.

    Raises:
        OperationError: one of its settings is not right.
    """
    user, password = settings.smtp_user, settings.smtp_password
    server = MailServer.parse(settings.smtp_url, settings.smtp_tls, user, password, settings.smtp_from)
    return Mailer(server, *_way_out(settings)) if server is not None else None


def _way_out(settings: Settings) -> tuple[Egress, Tls]:
    egress = Egress(AllowList.parse(settings.egress_allow), proxy=Proxy.parse(settings.egress_proxy))
    return egress, Tls.parse(settings.tls_ca_file, settings.tls_client_certificates)


class Closed(Protocol):
    """What has something left to send when the process ends."""

    def close(self) -> None: ...


def traces_for(board: Board) -> Closed | None:
    """
    Make traces of what is announced, where the operator has set where to send them; ``None``: nobody has.

    Raises:
        OperationError: the extra is not installed.
    """
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or not any(map(os.environ.get, _TRACED_TO)):
        return None
    try:
        traces = pkgutil.resolve_name("headrace.connect.traces:Traces")()
    except ImportError:
        raise OperationError(f"{_TRACED_TO[0]}: to send traces, install `headrace[otel]`") from None
    traces.listen(board)
    closed: Closed = traces
    return closed


def runs_url(settings: Settings) -> str:
    """Return the database in which the steps of runs are remembered: a file beside the store, or the store's own."""
    if settings.database_url:
        return settings.database_url.replace("postgres", "postgresql", settings.database_url.startswith("postgres:"))
    return f"sqlite:///{settings.data_dir.absolute() / 'runs.db'}"


def erasure_log_of(settings: Settings) -> Path:
    """Return where the record of erasures is kept: in the data directory, if no other place is set."""
    return settings.erasure_log or settings.data_dir / ERASURE_LOG


def landing_of(settings: Settings, store: Store, clock: Clock, keyring: Keyring) -> LandingZones:
    """Make the landing zones of all sandboxes: in the data directory, if no other place is set."""
    directory = (settings.landing_directory or settings.data_dir / "landing").absolute()
    days, kept = settings.landing_credentials_days, settings.landing_days
    return LandingZones(store, clock, keyring, directory, settings.browser_url, days, kept)


def quota_of(settings: Settings) -> Quota:
    """Return how much a sandbox may have of which nothing else was said."""
    return Quota(settings.quota_waiting, settings.quota_people, settings.quota_requests, settings.quota_bytes)
