"""The people of the examples are loaded as a dataset and activated by the document beside them."""

import json

import yaml

from headrace.cli import examples
from headrace.cli.demo import TOKEN, author
from headrace.testkit.oracle import Truth, compare
from headrace.testkit.partner import Partner
from support import eventually, in_process

PEOPLE = examples.folder() / "people"


def test_the_people_of_the_examples_arrive_at_the_example_destination(tmp_path):
    with Partner.in_thread(token=TOKEN) as partner:
        settings = {"egress_allow": partner.origin, "dataset_directories": str(PEOPLE)}
        with in_process(tmp_path, **settings) as headrace:
            client = headrace.client
            load(client)
            author(client, "lighthouse", partner)
            document = yaml.safe_load((PEOPLE / "lighthouse.yaml").read_text(encoding="utf-8"))
            document["auth"]["params"]["token"] = TOKEN
            flow = client.post("/activations", document)["dataflow"]
            headrace.wait_until_backfilled(flow)
            ledger = client.get(f"/dataflows/{flow}/ledger")

    chosen = {audience["name"] for audience in document["audiences"]}
    truth = Truth()
    for day in sorted((PEOPLE / "days").iterdir()):
        truth.take(day.read_bytes().splitlines())
    truth.members = {pair: is_in for pair, is_in in truth.members.items() if pair[1] in chosen}
    assert compare("lighthouse", truth, partner.received, parked=set()) == []
    assert ledger["delivered"] == ledger["accepted"] > 60
    assert set(chosen) == {"Loyal customers", "Gold members", "Newsletter readers"}


def load(client):
    """Declare the dataset of the examples, take a snapshot, and take its people in."""
    document = json.loads((PEOPLE / "dataset.json").read_text(encoding="utf-8"))
    dataset = client.post("/datasets", {**document, "location": str(PEOPLE / "days")})["id"]
    for what in ("snapshots", "load"):
        answer = client.send("POST", f"/datasets/{dataset}/{what}")
        run = answer.get("run", answer)["id"]
        eventually(f"{what} succeeded", lambda run=run: client.get(f"/runs/{run}")["state"] == "succeeded")
    progress = client.get(f"/runs/{run}")["progress"]
    assert progress["rejected"] == 0
