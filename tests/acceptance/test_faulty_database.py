"""Whatever happens to the connection to PostgreSQL: what was answered with success is there; all else was an error."""

import orjson
import pytest
from sqlalchemy import make_url

from headrace.cli.demo import TOKEN, connect
from headrace.testkit.faults import FaultProxy, read
from headrace.testkit.partner import Partner
from support import in_process

from .journey import expected_changes, history

STATES = history(100)


@pytest.mark.campaign
@pytest.mark.parametrize(
    "line", ["both.reset", "both.cut", "to.reset after=3000", "back.reset after=1", "back.cut after=0"]
)
def test_a_lost_database_is_an_error_or_an_acceptance_that_is_true(tmp_path, postgres, line):
    with (
        postgres.lent() as address,
        FaultProxy.in_thread(socket_of(address)) as proxy,
        Partner.in_thread(token=TOKEN) as partner,
        in_process(
            tmp_path,
            egress_allow=partner.origin,
            database_url=behind(address, proxy.port),
            retry_steps=(0.1,) * 50,
            request_deadline=1.0,
        ) as running,
    ):
        dataflow = connect(running.client, "moviestar", partner).dataflow
        refused = 0
        for number, start in enumerate(range(0, len(STATES), 5)):
            lines = [orjson.dumps(state) for state in STATES[start : start + 5]]
            if number % 4 == 1:
                switch = proxy.switch_on(read(line))
            answer = ingest(running.api, lines)
            if number % 4 == 1:
                refused += answer != 200
                assert answer in (200, 503)
                switch.off()
            while answer != 200:
                answer = ingest(running.api, lines)

        ledger = running.api.get(f"/dataflows/{dataflow}/ledger").json
        assert refused > 0
        assert ledger["accepted"] == expected_changes(STATES, counts_attributes=True)


def ingest(api, lines):
    """Send records, and return the status of the answer."""
    return api.ingest(b"\n".join(lines)).status


def socket_of(address):
    """Return the path of the local socket that a server listens on."""
    url = make_url(address)
    host = url.host or url.query["host"]
    return f"{host}/.s.PGSQL.{url.port or 5432}" if host.startswith("/") else f"{host}:{url.port or 5432}"


def behind(address, port):
    """Return the address of the same database, by way of a proxy."""
    url = make_url(address)
    query = {name: value for name, value in url.query.items() if name != "host"}
    return url.set(
        host="127.0.0.1", port=port, query={**query, "sslmode": "disable", "gssencmode": "disable"}
    ).render_as_string(hide_password=False)
