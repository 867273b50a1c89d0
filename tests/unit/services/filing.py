"""A destination of files in a house, with an account and a target connection, kept as they are stored."""

import uuid
from dataclasses import dataclass, replace

from documents import a_destination, a_server
from headrace.connect.egress import AllowList, Egress
from headrace.connect.guard import Guard
from headrace.connect.storage import Way
from headrace.services import authoring, declared, sealing
from headrace.services.catalog import Catalog
from headrace.services.sealing import Safe
from headrace.services.storages import Storages


@dataclass
class Filing:
    """What is stored, and the ways to storages; ``access`` makes one of them from it, under changes."""

    house: object
    storages: Storages
    destination: str
    account: object = None
    target: object = None

    def access(self, edition=None):
        return self.house.store.read_now(lambda tx: self._access(tx, edition))

    def _access(self, tx, edition):
        tenant = self.house.caller.tenant
        found = edition or Catalog(tx, tenant).find(self.destination)
        return self.storages.access(tx, tenant, found, self.account, self.target)

    async def sign_in(self, spec_name="", encryption=None, **params):
        """Store an account with credentials, sealed."""
        id_, safe = str(uuid.uuid4()), Safe(self.house.keyring, self.house.caller.tenant)
        document = {"name": "account", "connectionSpec": {"id": self.destination}}
        if spec_name:
            document["auth"] = {"specName": spec_name, "params": safe.seal(id_, params)}
        if encryption:
            document["encryption"] = encryption
        self.account = await self._kept("account", document, id_)
        return self.account

    async def fill_in(self, secret=(), **params):
        """Store a target connection with the values of a form; those at the pointers ``secret`` sealed."""
        id_, safe = str(uuid.uuid4()), Safe(self.house.keyring, self.house.caller.tenant)
        document = {"name": "target", "connectionSpec": {"id": self.destination}, "params": params}
        if self.account is not None:
            document["baseConnectionId"] = self.account.id
        kept = sealing.sealed(safe, id_, document, list(secret)) if secret else document
        self.target = await self._kept("target-connection", kept, id_)
        return self.target

    def pin(self, key):
        document = {**self.account.document, "x-headrace": {"hostKey": key}}
        self.account = replace(self.account, document=document)

    async def _kept(self, noun, document, id_):
        house = self.house
        return await declared.create(house.store, house.clock, house.caller, noun, document, lambda _: [], id_)


async def filing(house, kind, server=None, destination=None, *, way=None, signer=None):
    """Author a server and a destination of files, with changes, in a house."""
    stores = (house.store, house.clock, house.keyring, house.caller)
    made = await authoring.save(*stores, authoring.SERVER, a_server(kind, server))
    document = a_destination(
        kind, {"/destinationDelivery/0/destinationServerId": made.declared.id, **(destination or {})}
    )
    kept = await authoring.save(*stores, authoring.DESTINATION, document)
    way = way or Way(Egress(AllowList()), Guard())
    return Filing(house, Storages(house.keyring, house.clock, way, signer, reaching=house.reaching), kept.declared.id)
