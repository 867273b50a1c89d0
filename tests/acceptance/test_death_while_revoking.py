"""Whoever dies while a partner is told of a token that is ended leaves it ended, and keeps nothing of it."""

import signal
import sqlite3

from headrace.cli import examples
from headrace.testkit.oauth import AuthorizationServer
from support import AUTHORING, FLOWS, PATIENCE, Server, eventually


def deleted_after_use(api, oauth):
    """Make an account that has a token, and delete it."""
    way = {
        "authType": "OAUTH2",
        "grant": "OAUTH2_CLIENT_CREDENTIALS",
        "accessTokenUrl": oauth.token_url,
        "clientId": oauth.client_id,
        "clientSecret": oauth.client_secret,
        "x-headrace": {"revocationUrl": oauth.revocation_url},
    }
    example = examples.destination("moviestar")
    server = api.post(f"{AUTHORING}/destination-servers", example["destinationServer"])["instanceId"]
    delivery = {"authenticationRule": "CUSTOMER_AUTHENTICATION", "destinationServerId": server}
    ways = {"customerAuthenticationConfigurations": [way], "destinationDelivery": [delivery]}
    spec = {"id": api.post(f"{AUTHORING}/destinations", {**example["destination"], **ways})["instanceId"]}
    auth = {"specName": "OAUTH2", "params": {}}
    account = api.post(f"{FLOWS}/connections", {"name": "a", "connectionSpec": spec, "auth": auth})["id"]
    assert api.post(f"{FLOWS}/connections/{account}/test", {})["ok"]
    api.exchange("DELETE", f"{FLOWS}/connections/{account}")


def test_a_death_after_the_partner_was_told_tells_it_again_and_ends_it(tmp_path):
    with AuthorizationServer.in_thread() as oauth, Server(tmp_path, egress_allow=oauth.issuer) as server:
        api = server.start(crash_at="after_revocation_call:1")
        deleted_after_use(api, oauth)
        api.close()
        assert server.process.wait(PATIENCE) == -signal.SIGKILL
        assert oauth.counts["/revoke"] == 1

        api = server.start()
        (run,) = eventually("the run has ended", lambda: _ended(api))
        api.close()
        server.stop()

        assert (run["state"], oauth.counts["/revoke"]) == ("succeeded", 2)
        told = [received.body for received in oauth.received if received.path == "/revoke"]
        assert told[0] == told[1]
        with sqlite3.connect(server.data / "headrace.db") as store:
            kept = store.execute("SELECT count(*) FROM sign_in_states").fetchone()
        store.close()
        assert kept == (0,)


def _ended(api):
    found = api.get("/runs?kind=revocation")["items"]
    return found if all(run["state"] not in ("asked", "running") for run in found) else None
