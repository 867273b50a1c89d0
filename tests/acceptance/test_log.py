"""The log tells, and what becomes of it holds nothing up."""

import json
import os
import signal
import subprocess

import pytest

from headrace.cli.client import wait_for_server
from headrace.cli.demo import TOKEN, connect
from headrace.testkit.partner import Partner
from headrace.testkit.profiles import generate, ndjson
from support import command, environment, eventually


@pytest.fixture(scope="module")
def unread(tmp_path_factory):
    """``headrace serve 2>&1 | head -1``, or a disk that is full where the log goes: the ledger, and the exit code."""
    folder = tmp_path_factory.mktemp("unread")
    line = command("serve", "--port", "0", "--data-dir", str(folder / "data"))
    with Partner.in_thread([503], token=TOKEN) as partner:
        given = environment(folder, egress_allow=partner.origin, retry_steps="0.1,0.1")
        reading, writing = os.pipe()
        with subprocess.Popen(line, env=given, stderr=writing) as process:
            os.close(writing)
            assert b"started" in os.read(reading, 10_000)
            os.close(reading)
            client = wait_for_server(folder / "data" / "credentials.json")
            path = f"/dataflows/{connect(client, 'moviestar', partner).dataflow}/ledger"
            client.send("POST", "/ingest/profiles", b"".join(ndjson(generate(5))), "application/x-ndjson")
            try:
                eventually("everything is settled", lambda: client.get(path)["pending"] == 0)
                ledger = client.get(path)
            finally:
                client.close()
                process.send_signal(signal.SIGTERM)
        return ledger, process.returncode


def test_delivery_goes_on_where_nobody_reads_the_log(unread):
    ledger, _ = unread

    assert ledger["delivered"] == ledger["accepted"] > 0


def test_the_end_is_orderly_where_nobody_reads_the_log(unread):
    _, exit_code = unread

    assert exit_code == 0


def test_every_line_is_json_to_whoever_asks_for_that(tmp_path):
    line = command("serve", "--port", "0", "--data-dir", str(tmp_path / "data"))
    with subprocess.Popen(line, env=environment(tmp_path, log_format="json"), stderr=subprocess.PIPE) as process:
        first = json.loads(process.stderr.readline())
        process.send_signal(signal.SIGTERM)
        rest = process.stderr.read()

    assert (first["event"], first["level"]) == ("started", "info")
    assert first["url"].startswith("http://127.0.0.1:")
    assert rest == b""
