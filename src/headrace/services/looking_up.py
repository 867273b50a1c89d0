"""
Looking up at the partner: the choices of a field of the form, and the schema of what may be mapped.

A question is made inside a transaction, from what is declared there, and asked after it. What came back is kept for a
few minutes, and whoever asks the same meanwhile gets that; of those who ask at once, one asks the partner.
"""

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from headrace.clock import Clock
from headrace.connect.call import Call, CallFailed, Context, Written, answer_of, read_each, written
from headrace.connect.secrets import Redactor
from headrace.errors import AccountError, HeadraceError, TooManyCalls
from headrace.model.block import pointer, steps
from headrace.model.customer_data import DynamicOptions
from headrace.model.delivery import AuthenticationRule
from headrace.model.destination_server import DestinationServer
from headrace.model.http import Request, Response
from headrace.model.problem import ConfigurationError, Problem
from headrace.model.schema import DynamicSchema
from headrace.services import looked_up
from headrace.services.call_limit import CallLimit
from headrace.services.caller import Caller
from headrace.services.catalog import Edition
from headrace.services.checks import SERVER, lenient
from headrace.services.form import Asked, Choices, Filled
from headrace.services.looked_up import Choice, Misread
from headrace.services.partners import PartnerAccess, Partners
from headrace.store.database import Transaction
from headrace.store.documents import Declared

#: How long an answer is used, in seconds, and how many are kept.
KEPT_FOR = 300.0
MOST_KEPT = 500
#: How much of a partner's text an error shows.
_LONGEST_SHOWN = 200
_SIGNED_OUT = (401, 403)


@dataclass(frozen=True, slots=True)
class Question:
    """One look-up, ready to be made: who asks, what it is about, whose way it goes, and how it is asked and read."""

    caller: Caller
    about: tuple[Any, ...]
    rule: AuthenticationRule
    access: PartnerAccess
    redactor: Redactor
    call: Call
    fields: tuple[tuple[str, Written], ...]

    def redact(self, text: str) -> str:
        """Take the secrets of the account and of the form out of a text."""
        return self.redactor.redact(self.access.redact(text))


class LookUps:
    """Asks partners, so often as they may be asked on demand, and keeps what they answered for a while."""

    def __init__(self, partners: Partners, clock: Clock, limit: CallLimit) -> None:
        self._partners = partners
        self._clock = clock
        self._limit = limit
        self._kept: dict[bytes, tuple[float, dict[str, Any]]] = {}
        self._under_way: dict[bytes, asyncio.Task[dict[str, Any]]] = {}

    def question(
        self,
        tx: Transaction,
        caller: Caller,
        edition: Edition,
        source: DynamicOptions | DynamicSchema,
        account: Declared | None,
        target: Declared | None,
        secrets: Iterable[str] = (),
        query: Mapping[str, Any] | None = None,
    ) -> Question:
        """
        Make a question under an account, for a target connection, which may be one that is only being filled in.

        ``secrets`` are those of the form that are not sealed in ``target`` yet.

        Raises:
            ConfigurationError: it needs an account, and there is none.
            HeadraceError: the account's credentials cannot be used, or the server's templates are not right.
        """
        rule = source.authentication_rule
        if rule == "CUSTOMER_AUTHENTICATION" and account is None:
            message = "the partner is asked with an account's credentials; name the account"
            raise ConfigurationError([Problem("missing-field", "/baseConnectionId", message)])
        if rule == "PLATFORM_AUTHENTICATION" and edition.destination.takes_files:
            message = "What signs in at a storage signs no look-up; the destination's author asks with `NONE`."
            raise AccountError(message)
        holder = account if rule == "CUSTOMER_AUTHENTICATION" else None
        server = lenient(DestinationServer, edition.parts.get(SERVER, source.destination_server_id) or {})
        known = (holder.id, holder.version) if holder is not None else None
        about = (caller.number, edition.id, edition.config_id, edition.version, known, source.destination_server_id)
        access = self._partners.access(tx, caller.tenant, edition, holder, target, caller.actor)
        return Question(
            caller,
            (*about, *sorted((query or {}).items())),
            rule,
            access if rule != "NONE" else access.unsigned(),
            Redactor(secrets),
            _call(server),
            tuple((item.name, text) for item in server.response_fields if (text := written(item, item.name))),
        )

    async def choices(self, question: Question, path: str, *, fresh: bool = False) -> list[Choice]:
        """
        Return the choices that the partner gives.

        Raises:
            AccountError: the operator can put it right: the credentials, or what may be reached.
            AuthoringError: the author can: the partner's answer is not read as it should be.
            PartnerError: the partner was not reached, or refused.
            TooManyCalls: this was asked too often.
        """
        return looked_up.choices_of(await self._ask(question, fresh=fresh), path)

    async def schema(self, question: Question, *, fresh: bool = False) -> dict[str, Any]:
        """Return the schema that the partner gives; raises as ``choices`` does."""
        return looked_up.schema_of(await self._ask(question, fresh=fresh))

    async def all_choices(self, questions: Iterable[tuple[Asked, Question]]) -> tuple[Choices, list[Problem]]:
        """
        Return the choices of the fields of a form by their pointers, and say which could not be fetched and why.

        Raises:
            TooManyCalls: this was asked too often.
        """
        found: dict[str, list[str]] = {}
        problems = []
        for asked, question in questions:
            try:
                choices = await self.choices(question, asked.options.value)
            except TooManyCalls:
                raise
            except HeadraceError as error:
                message = f"its choices could not be fetched, so it was not checked: {error.message}"
                problems.append(Problem("choices-unknown", asked.pointer, message))
            else:
                found[asked.pointer] = [str(choice["value"]) for choice in choices]
        return found, problems

    async def _ask(self, question: Question, *, fresh: bool) -> dict[str, Any]:
        await self._limit.admit(question.caller)
        try:
            values = {
                "customerData": dict(question.access.customer_data),
                "authData": await question.access.auth_data(),
            }
            request = question.call.request(values)
            key = hashlib.sha256(repr((question.about, request)).encode()).digest()
            kept = self._kept.get(key)
            if kept is not None and not fresh and self._clock.monotonic() < kept[0]:
                return kept[1]
            return await asyncio.shield(self._task(key, question, request, values))
        except HeadraceError as error:
            error.message = question.redact(error.message)
            raise

    def _task(self, key: bytes, question: Question, request: Request, values: Context) -> asyncio.Task[dict[str, Any]]:
        """Return the one task that asks this; what it brings is kept."""
        if key not in self._under_way:
            task = asyncio.create_task(_fetch(question, request, values))
            self._under_way[key] = task
            task.add_done_callback(lambda done: self._keep(key, done))
        return self._under_way[key]

    def _keep(self, key: bytes, task: asyncio.Task[dict[str, Any]]) -> None:
        del self._under_way[key]
        self._kept.pop(key, None)
        if task.cancelled() or task.exception() is not None:
            return
        while len(self._kept) >= MOST_KEPT:
            del self._kept[next(iter(self._kept))]
        self._kept[key] = (self._clock.monotonic() + KEPT_FOR, task.result())


def filled_in(edition: Edition, filled: Filled) -> Declared:
    """Return the target connection that would be made of a form that is being filled in."""
    return Declared(edition.id, 0, {"params": filled.values}, 0, 0)


def secrets_in(filled: Filled) -> list[str]:
    """Return the secret values of a form."""
    return [str(_at(filled.values, where)) for where in filled.secret]


def refuse_unanswered(asked: Asked) -> None:
    """
    Refuse to ask before the fields are filled in that the call needs.

    Raises:
        ConfigurationError: it names them.
    """
    path = steps(asked.pointer)
    problems = [
        Problem("missing-field", pointer((*path[:-1], name)), f"`{name}` must be filled in first: {_because(path[-1])}")
        for name in asked.unanswered
    ]
    if problems:
        raise ConfigurationError(problems)


def text_shown(response: Response, redact: Callable[[str], str]) -> str:
    """Return what a partner says in an answer, without secrets and cut, to be shown to people."""
    text = " ".join(response.body.decode("utf-8", "replace").split())
    shown = redact(text)
    return f"{shown[:_LONGEST_SHOWN]}…" if len(shown) > _LONGEST_SHOWN else shown


def _because(name: str) -> str:
    return f"the choices of `{name}` depend on it"


def _call(server: DestinationServer) -> Call:
    http, address = server.http_template, server.url_based_destination
    if http is None or address is None:
        raise Misread("the server that is asked has no address, or no `httpTemplate`; the author can put it right")
    url = written(address.url, "url")
    assert url is not None
    headers = tuple((item.header, text) for item in http.headers if (text := written(item.value, item.header)))
    return Call(
        http.http_method,
        url,
        headers,
        written(http.query_parameters, "queryParameters"),
        written(http.request_body, "requestBody"),
        content_type=http.content_type,
    )


async def _fetch(question: Question, request: Request, values: Context) -> dict[str, Any]:
    response = await question.access.send(request)
    _refuse(response, question)
    texts = read_each(question.fields, {**values, "response": answer_of(response)})
    return looked_up.documents_of({name: question.redact(text) for name, text in texts.items()})


def _refuse(response: Response, question: Question) -> None:
    """
    Refuse an answer that is no success, or not whole, and say whose turn it is.

    Raises:
        AccountError: the partner does not take the account's credentials.
        Misread: it wants some, and the destination says that it needs none.
        CallFailed: anything else.
    """
    said = text_shown(response, question.redact)
    told = f"{response.status}{': ' if said else ''}{said}"
    if response.status in _SIGNED_OUT and question.rule == "NONE":
        raise Misread(f"the partner wants credentials ({told}), and the `authenticationRule` of the look-up is `NONE`")
    if response.status in _SIGNED_OUT:
        raise AccountError(f"the partner does not accept the credentials ({told}); give the account others")
    if not 200 <= response.status < 300:
        raise CallFailed(f"the partner answered {told}")
    if response.truncated:
        raise CallFailed(f"the partner's answer is longer than the {len(response.body)} bytes that are read")


def _at(values: Any, where: str) -> Any:
    for step in steps(where)[1:]:
        values = values[step]
    return values
