"""Messages that wait to be full, on a server that is killed meanwhile: each leaves full, and nobody is in two."""

import json
from contextlib import closing

from headrace.testkit.partner import Partner
from support import Api, Server, eventually

from .test_partial_answers import dataflow, person

SIZE = 1000
PATIENT = {
    "aggregationType": "CONFIGURABLE_AGGREGATION",
    "configurableAggregation": {
        "maxBatchAgeInSecs": 3600,
        "maxNumEventsInBatch": SIZE,
        "aggregationKey": {"includeSegmentId": True, "includeSegmentStatus": True},
    },
}


def signed_in(server):
    credentials = json.loads((server.data / "credentials.json").read_text())
    return Api.signed_in(credentials["url"], credentials["client_id"], credentials["client_secret"], credentials["org"])


def test_a_message_leaves_when_it_is_full_and_what_waits_outlives_the_process(tmp_path):
    with Partner.in_thread() as partner, Server(tmp_path, egress_allow=partner.origin, renderers="1") as server:
        server.start().close()
        with closing(signed_in(server)) as api:
            flow = dataflow(api, partner, {}, aggregation=PATIENT)
            for start in range(0, 2500, 500):
                assert (
                    api.post("/ingest/profiles", [person(number) for number in range(start, start + 500)]).json[
                        "accepted"
                    ]
                    == 500
                )
            eventually("two are full", lambda: settled(api, flow) == (2 * SIZE, 500))
        server.kill()

        server.start().close()
        with closing(signed_in(server)) as api:
            assert settled(api, flow) == (2 * SIZE, 500)
            assert (
                api.post("/ingest/profiles", [person(number) for number in range(2500, 3001)]).json["accepted"] == 501
            )
            eventually("another is full", lambda: settled(api, flow) == (3 * SIZE, 1))

        sent = [request.json() for request in partner.received]
        assert [len(message) for message in sent] == [SIZE] * 3
        assert len({one for message in sent for one in message}) == 3 * SIZE


def settled(api, flow):
    ledger = api.get(f"/dataflows/{flow}/ledger").json
    return ledger["delivered"], ledger["pending"]
