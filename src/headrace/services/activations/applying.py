"""Making an activation true: what is missing is made, what differs is changed, and a second time nothing happens."""

from dataclasses import dataclass
from typing import Any

from headrace.clock import Clock
from headrace.connect.keyring import Keyring
from headrace.model.flow import PROFILE_STORE_SPEC
from headrace.services import accounts, activation, declared, sources, targets
from headrace.services.accounts import TARGET
from headrace.services.activations.planning import Plan, chosen, plan, read_activation
from headrace.services.caller import Caller
from headrace.services.governance import holding
from headrace.services.looking_up import LookUps
from headrace.services.storage_trials import StorageTrials
from headrace.store.database import Store
from headrace.store.dataflows import StoredDataflow

Object = dict[str, Any]
_PARAMS = "/transformations/0/params"


@dataclass(frozen=True, slots=True)
class Applier:
    """Applies activations with the services that do it piece by piece."""

    store: Store
    clock: Clock
    keyring: Keyring
    lookups: LookUps
    password_grant: bool
    most_destinations: int
    trials: StorageTrials

    async def apply(self, caller: Caller, document: object) -> tuple[Plan, StoredDataflow]:
        """
        Make an activation true, and return what that took. What was made stays if a later step fails: apply it again.

        Raises:
            ConfigurationError: with everything that keeps it from being made; then nothing was.
            PolicyViolation: policies keep it from being made; then nothing was, either.
        """
        wanted = read_activation(document)
        made = await self.store.read(lambda tx: plan(tx, caller, self.keyring, wanted))
        holding.refuse(made.violations)
        account = await self._account(caller, made)
        source = await self._source(caller, made)
        target = await self._target(caller, made, account)
        return made, await self._dataflow(caller, made, source, target)

    async def _account(self, caller: Caller, made: Plan) -> str | None:
        wanted, found = made.wanted, made.found
        if found.account is not None or wanted.account is None:
            return found.account.id if found.account is not None else None
        assert wanted.auth is not None, "without it the plan was refused"
        auth = wanted.auth.model_dump(mode="json", by_alias=True)
        document = {"name": wanted.account, "connectionSpec": _spec(made), "auth": auth}
        created = await accounts.create_account(
            self.store,
            self.clock,
            self.keyring,
            caller,
            document,
            password_grant=self.password_grant,
            trials=self.trials,
        )
        return created.id

    async def _source(self, caller: Caller, made: Plan) -> str:
        if made.found.source is not None:
            return made.found.source.id
        document = {"name": "profiles", "connectionSpec": {"id": PROFILE_STORE_SPEC}}
        return (await sources.create_source(self.store, self.clock, caller, document)).id

    async def _target(self, caller: Caller, made: Plan, account: str | None) -> str:
        params, known = dict(made.wanted.connection), made.found.target
        if known is None:
            document = {"name": made.wanted.name, "connectionSpec": _spec(made), "params": params}
            document |= {"baseConnectionId": account} if account is not None else {}
            made_with = (self.store, self.clock, self.keyring, caller, document, self.lookups)
            created = await targets.create_target(*made_with, most=self.most_destinations, trials=self.trials)
            return created.id
        if made.is_other_connection:
            operations = [{"op": "add", "path": "/params", "value": params}]
            operations += [{"op": "add", "path": "/baseConnectionId", "value": account}] if account is not None else []
            current = await declared.read(self.store, caller, TARGET, known.id)
            stores = (self.store, self.clock, self.keyring, caller)
            patch = (known.id, declared.etag(current), operations)
            await targets.change_target(*stores, *patch, self.lookups, trials=self.trials)
        return known.id

    async def _dataflow(self, caller: Caller, made: Plan, source: str, target: str) -> StoredDataflow:
        stored = made.found.dataflow
        params = chosen(made.wanted, made.found, made.rows)
        if stored is None:
            document = {**_said(made), "sourceConnectionIds": [source], "targetConnectionIds": [target]}
            document["transformations"] = [{"name": "GeneralTransform", "params": params}]
            return await activation.create(self.store, self.clock, caller, document, self.lookups)
        if all(step.action == "keep" for step in made.steps if step.noun in ("dataflow", "audience", "mapping")):
            return stored
        operations = [{"op": "add", "path": f"/{name}", "value": value} for name, value in _said(made).items()]
        operations += [{"op": "add", "path": f"{_PARAMS}/{name}", "value": value} for name, value in params.items()]
        return await activation.patch(
            self.store, self.clock, caller, stored.id, activation.etag(stored), operations, self.lookups
        )


def _said(made: Plan) -> Object:
    wanted = made.wanted
    said = {"name": wanted.name, "description": wanted.description, "policy": wanted.policy_wanted}
    return {name: value for name, value in said.items() if value is not None}


def _spec(made: Plan) -> Object:
    return {"id": made.found.edition.id, "version": "1.0"}
