"""Traces of real deliveries, as a receiver of OTLP on loopback gets them; and none where nobody asks for them."""

import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from headrace.cli.demo import TOKEN, connect
from headrace.errors import OperationError
from headrace.events import Board, RequestAnswered
from headrace.from_settings import traces_for
from headrace.testkit.partner import Partner
from headrace.testkit.profiles import generate, ndjson
from support import environment, eventually, in_process

CANARY = "canary-of-a-person"


@pytest.fixture
def receiver():
    """A receiver of OTLP: its address, and what arrived."""
    bodies = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            bodies.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = False
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", bodies
        server.shutdown()
        thread.join()


def spans_of(bodies):
    for path, body in bodies:
        assert path == "/v1/traces"
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scope in resource.scope_spans:
                yield from scope.spans


def test_a_message_is_one_trace_under_its_own_id(tmp_path, monkeypatch, receiver):
    url, bodies = receiver
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
    answered = []
    with Partner.in_thread([503], token=TOKEN) as partner:
        with in_process(tmp_path, egress_allow=partner.origin, retry_steps="0.1,0.1") as headrace:
            headrace.app.board.hear(RequestAnswered, answered.append)
            path = f"/dataflows/{connect(headrace.client, 'moviestar', partner).dataflow}/ledger"
            people = [{**person, "city": CANARY} for person in generate(3)]
            headrace.client.send("POST", "/ingest/profiles", b"".join(ndjson(people)), "application/x-ndjson")
            eventually("it is settled", lambda: headrace.client.get(path)["pending"] == 0)
        assert not [header for received in partner.received for header in received.headers if "trace" in header]

    spans = list(spans_of(bodies))
    traces = {}
    for span in spans:
        traces.setdefault(span.trace_id.hex(), []).append(span)
    assert {event.message for event in answered} <= set(traces)
    retried = traces[answered[0].message]
    roots = [span for span in retried if not span.parent_span_id]
    assert [span.name for span in roots] == ["deliver"] * len(roots)
    told_of = [attribute for span in roots for attribute in span.attributes]
    outcomes = [told.value.string_value for told in told_of if told.key.endswith("outcome")]
    assert outcomes[0] == "retry"
    steps = {span.name for span in retried if span.parent_span_id == roots[0].span_id}
    assert steps == {"claim", "render", "request", "settle"}
    for span in retried:
        assert span.start_time_unix_nano <= span.end_time_unix_nano
    assert "accept" in {span.name for span in spans}
    told = b"".join(body for _, body in bodies)
    assert CANARY.encode() not in told
    assert b"crmId" not in told
    assert TOKEN.encode() not in told


def test_without_an_address_there_are_no_traces_and_nothing_is_imported(tmp_path):
    program = (
        "import sys; from headrace.from_settings import traces_for; from headrace.events import Board; b = Board();"
        "assert traces_for(b) is None; b.close(); print('opentelemetry.sdk' in sys.modules)"
    )
    done = run_python(tmp_path, program)
    assert (done.returncode, done.stdout) == (0, "False\n"), done.stderr


def test_where_the_extra_is_not_installed_it_says_so(monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setitem(sys.modules, "headrace.connect.traces", None)
    board = Board()
    try:
        with pytest.raises(OperationError, match=r"install `headrace\[otel\]`"):
            traces_for(board)
    finally:
        board.close()


def run_python(home, program):
    line = [sys.executable, "-c", program]
    return subprocess.run(line, env=environment(home), capture_output=True, text=True, timeout=60)
