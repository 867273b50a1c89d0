"""
Trying an account: signing in at the partner for real, and one call of which nothing comes but an answer.

What the call is depends on what the author declared: the audience template's `validate`, else a look-up of a schema or
of choices. Without any of these, signing in is all that can be tried.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from headrace.connect.call import Call, CallFailed, answer_of, json_of, macros, read_each
from headrace.connect.storage import NotStored
from headrace.errors import AccountError, HeadraceError, TooManyCalls
from headrace.model.audience_template import AudienceEvent, AudienceTemplate
from headrace.model.customer_data import DynamicOptions
from headrace.model.http import Response
from headrace.model.schema import DynamicSchema
from headrace.services import declared, form, looking_up
from headrace.services.accounts import ACCOUNT, TARGET
from headrace.services.call_limit import CallLimit
from headrace.services.caller import Caller
from headrace.services.catalog import Catalog, Edition
from headrace.services.checks import AUDIENCE_TEMPLATE, lenient
from headrace.services.looking_up import LookUps, Question, text_shown
from headrace.services.partners import PartnerAccess, Partners
from headrace.services.storage_trials import StorageTrials
from headrace.services.storages import StorageAccess
from headrace.store import documents
from headrace.store.database import Store, Transaction
from headrace.store.documents import Declared

STORED = "Files can be written to the storage: one of a few bytes was, and was removed again."
SIGNED_IN = "The account is signed in; nothing is declared that could be asked of the partner beyond that."


@dataclass(slots=True)
class Trial:
    """What came of trying an account. ``checked`` are the steps that were taken, the one that failed as the last."""

    ok: bool = True
    code: str = "ok"
    message: str = SIGNED_IN
    checked: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return the form in which the REST API answers."""
        return {"ok": self.ok, "code": self.code, "message": self.message, "checked": self.checked}


@dataclass(frozen=True, slots=True)
class _Means:
    """An account's way to its partner, and what can be asked there."""

    access: PartnerAccess
    validation: tuple[Call, AudienceEvent, dict[str, Any]] | None
    look_up: tuple[DynamicOptions | DynamicSchema, Question] | None


async def try_account(
    store: Store,
    partners: Partners,
    lookups: LookUps,
    limit: CallLimit,
    caller: Caller,
    id_: str,
    trials: StorageTrials | None = None,
) -> Trial:
    """
    Try an account, and say in words what is wrong with it. No secret is told.

    One of a storage is tried at the newest connection under it: that names the place.

    Raises:
        NotFound: it is not in this sandbox.
        TooManyCalls: partners were called too often.
    """
    trial = Trial()
    account = await declared.read(store, caller, ACCOUNT, id_)
    await limit.admit(caller)
    access: PartnerAccess | None = None
    try:
        trial.checked.append("credentials")
        if trials is not None and (storage := await store.read(lambda tx: _storage(tx, trials, caller, account))):
            await _try_storage(trial, trials, storage)
            return trial
        means = await store.read(lambda tx: _means(tx, partners, lookups, caller, account))
        access = means.access
        trial.checked.append("sign-in")
        auth_data = await access.auth_data()
        if means.validation is not None:
            trial.checked.append("validate")
            await _validate(access, auth_data, *means.validation)
            trial.message = "The partner took the credentials: it answered the audience template's `validate`."
        elif means.look_up is not None:
            source, question = means.look_up
            trial.checked.append("schema" if isinstance(source, DynamicSchema) else "choices")
            trial.message = await _look_up(lookups, source, question)
    except TooManyCalls:
        raise
    except HeadraceError as error:
        told = access.redact(error.message) if access is not None else error.message
        code = error.cause if isinstance(error, NotStored) else error.code
        trial.ok, trial.code, trial.message = False, code, told
    return trial


async def try_target(store: Store, limit: CallLimit, caller: Caller, id_: str, trials: StorageTrials) -> Trial:
    """
    Try whether files can be written to the storage of a target connection, and say in words what is wrong. No secret is
    told.

    Raises:
        NotFound: it is not in this sandbox.
        TooManyCalls: partners were called too often.
    """
    trial = Trial(checked=["credentials"])
    target = await declared.read(store, caller, TARGET, id_)
    await limit.admit(caller)
    try:
        storage = await store.read(lambda tx: _storage_of(tx, trials, caller, target))
        await _try_storage(trial, trials, storage)
    except HeadraceError as error:
        code = error.cause if isinstance(error, NotStored) else error.code
        trial.ok, trial.code, trial.message = False, code, error.message
    return trial


async def _try_storage(trial: Trial, trials: StorageTrials, storage: StorageAccess) -> None:
    trial.checked.append("storage")
    await trials.check(storage)
    trial.message = STORED


def _storage(tx: Transaction, trials: StorageTrials, caller: Caller, account: Declared) -> StorageAccess | None:
    """Return the storage of an account; ``None``: its destination takes messages."""
    edition = Catalog(tx, caller.tenant).offered(account.document["connectionSpec"]["id"])
    if edition is None or not edition.destination.takes_files:
        return None
    target = _newest_target(tx, caller, account)
    if target is None:
        raise AccountError("nothing is set up under this account yet, so it is not known where files would go")
    return _storage_of(tx, trials, caller, target)


def _storage_of(tx: Transaction, trials: StorageTrials, caller: Caller, target: Declared) -> StorageAccess:
    edition = Catalog(tx, caller.tenant).in_force(target)
    if not edition.destination.takes_files:
        raise AccountError("this destination takes messages; try its account")
    id_ = target.document.get("baseConnectionId")
    account = documents.get(tx, caller.number, ACCOUNT, id_) if id_ is not None else None
    return trials.storages.access(tx, caller.tenant, edition, account, target, caller.actor)


def _means(tx: Transaction, partners: Partners, lookups: LookUps, caller: Caller, account: Declared) -> _Means:
    edition = Catalog(tx, caller.tenant).offered(account.document["connectionSpec"]["id"])
    if edition is None:
        raise AccountError("this account is of the profile store, where nobody signs in: there is nothing to try")
    target = _newest_target(tx, caller, account)
    access = partners.access(tx, caller.tenant, edition, account, target, caller.actor)
    values = dict(access.customer_data) or form.fill(edition.destination.customer_data_fields, {}).values
    event = _validate_event(edition)
    if event is not None:
        return _Means(access, (_call(event), event, _context(caller, edition, values)), None)
    source = next(_look_ups(edition, values), None)
    if source is None:
        return _Means(access, None, None)
    filled = form.fill(edition.destination.customer_data_fields, values)
    drafted, secrets = looking_up.filled_in(edition, filled), looking_up.secrets_in(filled)
    question = lookups.question(tx, caller, edition, source, account, drafted, secrets)
    return _Means(access, None, (source, question))


def _newest_target(tx: Transaction, caller: Caller, account: Declared) -> Declared | None:
    """Return the newest connection under an account, whose customer data the calls may need."""
    targets = documents.all_of(tx, caller.number, TARGET)
    return next((item for item in reversed(targets) if item.document.get("baseConnectionId") == account.id), None)


def _look_ups(edition: Edition, values: dict[str, Any]) -> Iterator[DynamicOptions | DynamicSchema]:
    """Yield what can be looked up with the account's credentials, as far as the fields are filled in that it needs."""
    schema = edition.destination.dynamic_schema
    if schema is not None and schema.authentication_rule == "CUSTOMER_AUTHENTICATION":
        yield schema
    for asked in form.fill(edition.destination.customer_data_fields, values).asked:
        if asked.options.authentication_rule == "CUSTOMER_AUTHENTICATION" and not asked.unanswered:
            yield asked.options


async def _look_up(lookups: LookUps, source: DynamicOptions | DynamicSchema, question: Question) -> str:
    if isinstance(source, DynamicSchema):
        await lookups.schema(question, fresh=True)
        return "The partner took the credentials: it gave its schema."
    choices = await lookups.choices(question, source.value, fresh=True)
    return f"The partner took the credentials: it gave {len(choices)} choices of a field."


def _validate_event(edition: Edition) -> AudienceEvent | None:
    """Return the request that shows whether an account is in order, unless the author's own credentials sign it."""
    metadata = edition.destination.audience_metadata
    id_ = metadata.audience_template_id if metadata.extension.authentication_id is None else None
    document = edition.parts.get(AUDIENCE_TEMPLATE, id_) if id_ is not None else None
    return lenient(AudienceTemplate, document).metadata_template.validate_ if document is not None else None


def _call(event: AudienceEvent) -> Call:
    headers = tuple((item.header, macros(item.value, item.header)) for item in event.headers)
    body = event.request_body.content if event.request_body is not None else None
    return Call(event.http_method, macros(event.url, "url"), headers, json_body=body)


def _context(caller: Caller, edition: Edition, values: dict[str, Any]) -> dict[str, Any]:
    tenant = caller.tenant
    about = {"name": edition.destination.name, "id": edition.id}
    place = {"sandboxName": tenant.sandbox, "imsOrgId": tenant.organization}
    return {"customerData": values, "validations": values, "destination": {**about, **place}}


async def _validate(
    access: PartnerAccess, auth_data: dict[str, str], call: Call, event: AudienceEvent, context: dict[str, Any]
) -> None:
    given = {**context, "authData": auth_data, "oauth2ServiceAccessToken": auth_data.get("accessToken", "")}
    response = await access.send(call.request(given))
    if 200 <= response.status < 300:
        return
    told = f"{response.status}: {_said(event, response) or text_shown(response, access.redact)}"
    if response.status in (401, 403):
        raise AccountError(f"the partner does not accept the credentials ({told}); give the account others")
    raise CallFailed(f"the partner answered {told}")


def _said(event: AudienceEvent, response: Response) -> str:
    """Return what the author declares to be the partner's words in an error."""
    body = json_of(response)
    shown = {**(body if isinstance(body, dict) else {}), "body": body, "root": body, "response": answer_of(response)}
    texts = ((item.name, macros(item.value, item.name)) for item in event.response_error_fields)
    try:
        return read_each(texts, shown).get("message", "")
    except HeadraceError:
        return ""
