"""The requests of an audience template, compiled, and what the partner's answer to one means."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from headrace.connect.call import Call, CallFailed, json_macros, macros
from headrace.connect.transport import Garbled, Unanswered
from headrace.errors import AccountError, HeadraceError
from headrace.model.audience_template import EVENTS, AudienceEvent, AudienceTemplate, ResponseField
from headrace.model.http import Response
from headrace.model.pattern import is_match
from headrace.services.at_partner import contexts
from headrace.services.at_partner.contexts import Context
from headrace.services.partners import PartnerAccess
from headrace.template import Template

#: The response field that holds what the partner calls an audience.
ALIAS = "externalAudienceId"
#: As much of a refusal as is kept.
LONGEST_REASON = 500
#: Answers of which it is not known that nothing was done.
_IN_DOUBT = range(500, 600)
_NOT_DONE = (501, 503, 505, 507, 508, 511)
#: Answers to a `delete` that say that there is nothing to delete, as was wished.
_GONE = (404, 410)


class Doubtful(CallFailed):
    """The partner's answer does not say whether the request was carried out."""


class Unreadable(Doubtful):
    """The request was carried out, and the answer does not have what was to be read from it."""


class NotValid(AccountError):
    """The operator's values do not pass what the audience template asks of them; nothing was sent."""


def is_in_doubt(error: HeadraceError) -> bool:
    """Say whether a request that ended in an error may have been carried out."""
    return isinstance(error, Doubtful | Unanswered | Garbled)


@dataclass(frozen=True, slots=True)
class Event:
    """One request of a template, compiled: ``kind`` is its name in JSON, ``template`` what errors begin with."""

    template: str
    kind: str
    call: Call
    kept: tuple[tuple[str, Template], ...]
    told: tuple[tuple[str, Template], ...]
    sources: dict[str, str]

    @classmethod
    def of(cls, template: str, kind: str, event: AudienceEvent) -> "Event":
        """
        Compile a request.

        Raises:
            TemplateSyntaxError: one of its texts cannot be compiled.
        """
        body = event.request_body
        call = Call(
            event.http_method,
            macros(event.url, f"{kind}/url"),
            tuple((item.header, macros(item.value, f"{kind}/headers/{item.header}")) for item in event.headers),
            json_body=json_macros(body.content, f"{kind}/requestBody") if body is not None else None,
        )
        kept, told = (tuple(_fields(kind, fields)) for fields in (event.response_fields, event.response_error_fields))
        return cls(template, kind, call, kept, told, {field.name: field.value for field in event.response_fields})

    async def carry_out(self, access: PartnerAccess, context: Context) -> dict[str, str]:
        """
        Send the request, and return what is kept of the answer.

        Raises:
            CallFailed: the partner refused it.
            HeadraceError: it could not be written, signed or sent.
        """
        response = await access.send(self.call.request(context, contexts.in_url(context)))
        if not 200 <= response.status < 300 and not (self.kind == "delete" and response.status in _GONE):
            raise self._failure(response, access, context)
        return self._read(self.kept, response, context)

    def where(self, name: str) -> str:
        """Say where in the answer something was looked for."""
        source = self.sources.get(name)
        return f"`{source}`" if source is not None else f"a response field `{name}`, which `{self.kind}` does not have"

    def _failure(self, response: Response, access: PartnerAccess, context: Context) -> CallFailed:
        try:
            words = self._read(self.told, response, context).get("message", "")
        except HeadraceError as error:
            words = f"{_said(response)} (and its message could not be read: {error.message})"
        text = access.redact(f"{self.template}: {words or _said(response)}")[:LONGEST_REASON]
        is_doubtful = response.status in _IN_DOUBT and response.status not in _NOT_DONE
        return Doubtful(text) if is_doubtful else CallFailed(text)

    def _read(self, fields: Iterable[tuple[str, Template]], response: Response, context: Context) -> dict[str, str]:
        fields = tuple(fields)
        headers = {path[1] for _, text in fields for path in text.reads if path[0] == "headers" and len(path) > 1}
        seen = contexts.of_answer(response, context, frozenset(headers))
        return {name: text.render(seen).strip() for name, text in fields}


class Events:
    """All requests of one audience template."""

    def __init__(self, template: AudienceTemplate) -> None:
        self.template = template
        self.name = template.metadata_template.name or "audience template"

    def get(self, name: str) -> Event | None:
        """
        Return a request by our name for it, or one that Headrace adds: ``find``, ``list_``.

        Raises:
            TemplateSyntaxError: one of its texts cannot be compiled.
        """
        metadata = self.template.metadata_template
        home: Any = metadata if name in EVENTS else metadata.extension
        event: AudienceEvent | None = getattr(home, name)
        return Event.of(self.name, EVENTS.get(name, name.rstrip("_")), event) if event is not None else None

    def check(self, customer_data: Mapping[str, Any]) -> None:
        """
        Refuse to go on where the operator's values are not as the template asks.

        Raises:
            NotValid: it names the field.
        """
        for validation in self.template.validations:
            value = customer_data.get(validation.field)
            if not is_match(validation.regex, "" if value is None else str(value)):
                raise NotValid(
                    f"{self.name}: the customer data field `{validation.field}` does not match {validation.regex};"
                    " correct it in the target connection"
                )


def _fields(kind: str, fields: tuple[ResponseField, ...]) -> Iterator[tuple[str, Template]]:
    for field in fields:
        yield field.name, macros(field.value, f"{kind}/{field.name}")


def _said(response: Response) -> str:
    body = response.body.decode("utf-8", "replace").strip()
    return f"the partner answered with status {response.status}{f': {body}' if body else ''}"
