"""The services of access on a real store, with a clock that is set by hand and passwords that are hashed quickly."""

import itertools

import pytest

from headrace.errors import Forbidden, TooManyTries, Unauthorized
from headrace.services import access, clients, organizations, sessions, users
from headrace.services.caller import Principal
from headrace.services.grants import Grants
from headrace.services.passwords import Passwords
from headrace.store import access as stored_access
from headrace.store import audit
from stores import open_new
from support import QUICK
from unit.services.house import Clock

PASSWORD = "correct horse battery"


class Gate:
    """Whoever asks is the first client, who may do everything, unless it is said."""

    def __init__(self, directory, database_url=""):
        self.store = open_new(directory, database_url)
        self.clock = Clock()
        self.passwords = Passwords(QUICK)
        self.first = self.store.write_now(lambda tx: access.begin(tx, self.clock.now()))
        self.host = self.store.read_now(stored_access.all_organizations)[0]
        self.numbers = itertools.count(1)

    def close(self):
        self.passwords.close()
        self.store.close()

    def pass_seconds(self, seconds):
        self.clock.at += round(seconds * 1000)

    def principal(self, grants, name="client:somebody"):
        return Principal(name, self.host, Grants(grants))

    async def admin(self):
        return await self.principal_of(self.first.client_id, self.first.client_secret)

    async def principal_of(self, client_id, secret):
        return await self.admit(await self.token(client_id, secret))

    async def token(self, client_id, secret):
        return await access.issue_token(self.store, self.clock, client_id, secret)

    async def admit(self, token):
        return await access.principal_of_token(self.store, self.clock, token)

    async def sandbox(self, name, by=None):
        wanted = {"name": name}
        return await organizations.create_sandbox(self.store, self.clock, by or await self.admin(), wanted)

    async def client(self, by=None, **settings):
        settings = {"name": "a client", **({"role": "viewer"} if "permissions" not in settings else {}), **settings}
        return await clients.create(self.store, self.clock, by or await self.admin(), settings)

    async def user(self, by=None, **settings):
        email = f"person-{next(self.numbers)}@example.com"
        settings = {"email": email, "name": "Somebody", "password": PASSWORD, **settings}
        user, _ = await users.create(self.store, self.clock, self.passwords, by or await self.admin(), settings)
        return user

    async def change(self, user, by=None, if_match=None, **settings):
        kept = {"email": user.email, "name": user.name, **settings}
        return await users.replace(self.store, self.clock, by or await self.admin(), user.id, kept, if_match)

    async def sign_in(self, email, password=PASSWORD):
        given = {"email": email, "password": password}
        return await sessions.begin(self.store, self.clock, self.passwords, given)

    async def session(self, secret):
        return await sessions.principal_of_session(self.store, self.clock, secret)

    def audit(self, most=100):
        return self.store.read_now(lambda tx: audit.latest(tx, self.host.number, most))

    def actions(self):
        return [(entry.action, entry.noun) for entry in reversed(self.audit())]


async def refusal(trial):
    """Wait for something that must be refused, and say how."""
    with pytest.raises((Unauthorized, TooManyTries, Forbidden)) as refused:
        await trial
    return type(refused.value), refused.value.message
