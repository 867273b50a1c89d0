"""
Holds a running server to its OpenAPI document for as long as it is given.

    python fuzz/contract.py [--seconds 60] [--seed 1]

For every operation schemathesis makes requests that the document allows and others that it does not, against what is
there and what is not. No answer is a fault of ours, and none is outside the document: its status, its media type, its
schema. A finding is printed with the request that shows it, and the exit code is 1.
"""

import argparse
import itertools
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from headrace.cli.demo import TOKEN, connect
from headrace.testkit.partner import Partner

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from support import AUTHORING, FLOWS, InProcess, in_process

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
#: How many requests of a kind are made to an operation in a round.
EXAMPLES = 20
#: What the paths of operations call the ids of objects.
ID_NAMES = ("id", "instance_id", "config_id")


class Contract:
    """A running server, its document, and ids of objects that it has."""

    def __init__(self, headrace: InProcess, ids: Sequence[str]) -> None:
        self.document = headrace.api.get("/openapi.json").json
        self.operations = operations_of(self.document)
        self._url = headrace.api.url
        self._headers = headrace.api.headers
        self._ids = list(ids)
        self._session = requests.Session()

    def hold(self, operation: Any, mode: GenerationMode, examples: int, number: int) -> None:
        """Try one operation some times. Raises what schemathesis raises, with the request that shows it."""
        known = st.sampled_from([None, *self._ids])

        @seed(number)
        @settings(
            max_examples=examples,
            database=None,
            deadline=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(mode), id_=known, is_signed_in=st.sampled_from([True] * 9 + [False]))
        def attempt(case: Any, id_: str | None, is_signed_in: bool) -> None:
            for name in ID_NAMES if id_ is not None else ():
                if name in (case.path_parameters or {}):
                    case.path_parameters[name] = id_
            headers = self._headers if is_signed_in else {}
            case.call_and_validate(base_url=self._url, session=self._session, headers=headers, checks=CHECKS)

        attempt()

    def close(self) -> None:
        self._session.close()


def operations_of(document: dict[str, Any]) -> list[Any]:
    """Return what an OpenAPI document describes, as schemathesis takes it."""
    return [item.ok() for item in schemathesis.openapi.from_dict(document).get_all_operations()]


@contextmanager
def contract(folder: Path) -> Iterator[Contract]:
    """Start a server with objects of every kind, and hold it to its document."""
    with Partner.in_thread(token=TOKEN) as partner, in_process(folder, egress_allow=partner.origin) as headrace:
        held = Contract(headrace, _made(headrace, partner))
        try:
            yield held
        finally:
            held.close()


def _made(headrace: InProcess, partner: Partner) -> list[str]:
    """Make objects of every kind, and return their ids."""
    client = headrace.client
    connect(client, "lighthouse", partner)
    event = {"url": "https://api.acme.example/lists", "httpMethod": "POST"}
    client.post(f"{AUTHORING}/audience-templates", {"metadataTemplate": {"name": "Acme", "create": event}})
    client.post(f"{AUTHORING}/credentials", {"basicAuthentication": {"username": "me", "password": "secret"}})
    destination = client.get(f"{AUTHORING}/destinations")["items"][0]["instanceId"]
    body = {"destinationId": destination, "destinationAccess": "ALL"}
    request = client.post(f"{AUTHORING}/destinations/publish", body)["publishDetailsList"][-1]["configId"]
    lists = [
        f"{AUTHORING}/{noun}" for noun in ("destinations", "destination-servers", "audience-templates", "credentials")
    ]
    lists += [f"{FLOWS}/{noun}" for noun in ("connections", "sourceConnections", "targetConnections", "flows")]
    items = [item for path in lists for item in client.get(path)["items"]]
    return [request, *(item.get("instanceId", item.get("id")) for item in items)]


def main() -> int:
    """Go round the operations until the time is over, and say what came out."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").strip().splitlines()[0])
    arguments.add_argument("--seconds", type=float, default=60.0, help="how long")
    arguments.add_argument("--seed", type=int, default=time.time_ns() % 10**9, help="where to begin")
    given_ = arguments.parse_args()
    rounds, found, end = 0, 0, time.monotonic() + given_.seconds
    with tempfile.TemporaryDirectory(prefix="headrace-contract-") as folder, contract(Path(folder)) as held:
        while time.monotonic() < end:
            for operation, mode in itertools.product(held.operations, MODES):
                if time.monotonic() < end:
                    found += _try(held, operation, mode, given_.seed + rounds)
            rounds += 1
    sys.stdout.write(f"{len(held.operations)} operations, {rounds} rounds from seed {given_.seed}: {found} findings\n")
    return 1 if found else 0


def _try(held: Contract, operation: Any, mode: GenerationMode, number: int) -> int:
    try:
        held.hold(operation, mode, EXAMPLES, number)
    except Unsatisfiable:
        return 0  # Whatever is sent here is allowed.
    except (Exception, BaseExceptionGroup) as error:
        several = error.exceptions if isinstance(error, BaseExceptionGroup) else [error]
        shown = "\n".join(map(str, several))
        sys.stdout.write(f"seed {number}, {mode.value}: {operation.label}\n{shown}\n\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
