"""
Pinning the host key of a server of SFTP: who gives it has it from the partner; otherwise the server is asked, once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from headrace.connect.egress import NotedEgress
from headrace.connect.storage import NotStored, sftp
from headrace.model.destination_server import DestinationServer
from headrace.model.problem import ConfigurationError, Problem
from headrace.services.caller import Caller
from headrace.services.host_pins import PLACE, Endpoint, endpoint_of, pin_of, pinning, read_pin, without_pin
from headrace.services.reaching import Errand
from headrace.services.storage_trials import StorageTrials

Document = dict[str, Any]

_DOMAIN = "/auth/params/domain"


@dataclass(frozen=True, slots=True)
class Leads:
    """What an account, by its id, leads to its server by; ``document`` is there of one that is stored already."""

    account: str
    server: DestinationServer
    auth: Mapping[str, str]
    document: Document | None = None

    @property
    def endpoint(self) -> Endpoint | None:
        return endpoint_of(self.server, self.auth)


async def pinned(
    trials: StorageTrials | None, caller: Caller, leads: Leads, document: Document, before: Leads | None = None
) -> Document:
    """
    Return an account's document with the host key of the server that it leads to.

    A server is asked where nothing is pinned, where another key is given than ``before``, and where the account leads
    elsewhere now. Where no server is known before something is set up under the account, what is given counts.

    Raises:
        ConfigurationError: the server shows another key than was given, or was not reached to be asked for it.
        TooManyCalls: people have asked too often.
    """
    given, endpoint = pin_of(document) or None, leads.endpoint
    was = pin_of(before.document) if before is not None and before.document is not None else None
    if given is not None and given == was:
        if before is not None and before.endpoint == endpoint:
            return document
        given = None  # It is another server's.
    if endpoint is None or trials is None:
        return pinning(document, read_pin(given)) if given is not None else without_pin(document)
    return pinning(document, await confirmed(trials, caller, endpoint, given, leads.account))


async def confirmed(trials: StorageTrials, caller: Caller, endpoint: Endpoint, given: str | None, account: str) -> str:
    """
    Return what is to be pinned: what was ``given``, unless the server shows another; else what it shows.

    A server that is not reached refutes nothing.

    Raises:
        ConfigurationError: the server shows another key than was given, or was not reached to be asked for it.
        TooManyCalls: people have asked too often.
    """
    await trials.admit(caller)
    errand = Errand(caller.number, caller.actor, "account", account)
    pin, egress = read_pin(given) if given is not None else "", NotedEgress(trials.storages.way.egress)
    way = replace(trials.storages.way, egress=egress)
    try:
        if not pin:
            return await trials.ask(lambda: sftp.host_key(endpoint.host, endpoint.port, way))
        shown = await trials.ask(lambda: sftp.host_keys(endpoint.host, endpoint.port, way))
    except NotStored as error:
        await trials.storages.note_for(errand)(egress.failures)
        if pin and error.may_pass:
            return pin
        more = "" if pin else "; or give the key that the partner tells you, under `x-headrace.hostKey`"
        raise ConfigurationError([Problem(error.cause, _DOMAIN, error.message.rstrip(".") + more)]) from None
    except ConfigurationError as error:  # Its host is none, or its port is that of something else.
        raise ConfigurationError([Problem(item.code, _DOMAIN, item.message) for item in error.problems]) from None
    if not set(shown) & set(pin.split()):
        raise ConfigurationError([Problem("host-key", PLACE, _other(endpoint, shown, pin))])
    return pin


def _other(endpoint: Endpoint, shown: list[str], given: str) -> str:
    return (
        f"'{endpoint}' shows {', '.join(shown)}, and {given} was given; ask the partner which is right. If it is not "
        "the server's, somebody is between us and the partner"
    )
