"""The request for a token in the author's own words, and the checks of what comes back."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from headrace.connect.auth.answer import TokenAnswer
from headrace.connect.auth.host import check_host, end_of_host
from headrace.connect.auth.refusal import TokenRefused
from headrace.connect.call import Call, Context, Fixed, Written, read_each, written
from headrace.connect.secrets import Redactor
from headrace.errors import HeadraceError, RenderError
from headrace.model.http import Request
from headrace.model.pattern import NotAPattern, check_pattern, is_match
from headrace.model.text import TemplatedText
from headrace.model.token import TokenCheck, TokenRequest
from headrace.template import compile as compile_template


@dataclass(frozen=True, slots=True)
class Check:
    """What must hold of an answer before anything of it is kept."""

    name: str
    actual: Written
    expected: Written

    @classmethod
    def of(cls, declared: TokenCheck) -> Self:
        return cls(
            declared.name,
            _read(declared.actual_value, f"validations.{declared.name}.actualValue"),
            _read(declared.expected_value, f"validations.{declared.name}.expectedValue"),
        )

    def holds(self, context: Context) -> bool:
        """Say whether the actual value is the expected one, or all of it matches it as a regular expression."""
        return _is_as_expected(self.actual.render(context).strip(), self.expected.render(context).strip())


@dataclass(frozen=True, slots=True)
class OwnRequest:
    """An author's request, compiled: it is written of what is known, and says what is kept of the answer."""

    call: Call
    host_ends: str
    fields: tuple[tuple[str, Written], ...]
    checks: tuple[Check, ...]

    @classmethod
    def of(cls, declared: TokenRequest) -> Self:
        template = declared.http_template
        headers = ((item.header, written(item.value, item.header)) for item in template.headers)
        call = Call(
            template.http_method,
            written(declared.url_based_destination.url, "url") or Fixed(""),
            tuple((name, value) for name, value in headers if value is not None),
            written(template.query_parameters, "queryParameters"),
            written(template.request_body, "requestBody"),
            content_type=template.content_type,
        )
        fields = tuple((field.name, _read(field, f"responseFields.{field.name}")) for field in declared.response_fields)
        ends = end_of_host(declared.url_based_destination.url)
        return cls(call, ends, fields, tuple(map(Check.of, declared.validations)))

    def request(self, context: Context, redactor: Redactor) -> Request:
        """
        Write the request.

        Raises:
            RenderError: a template does not fit; the message tells no secret.
            UnboundOrigin: what the operator gave leads it away from the author's host.
        """
        try:
            request = self.call.request(context)
        except HeadraceError as error:
            raise RenderError(redactor.redact(f"the request for a token cannot be written: {error}")) from None
        check_host(request.url, self.host_ends)
        return request

    def address(self, context: Context) -> str:
        """
        Return where the request goes.

        Raises:
            TemplateError: the template of the address does not fit.
            UnboundOrigin: what the operator gave leads it away from the author's host.
        """
        url = self.call.url.render(context).strip()
        check_host(url, self.host_ends)
        return url

    def read(self, context: Context, redactor: Redactor) -> dict[str, str]:
        """
        Read what is kept of the answer.

        Raises:
            TokenRefused: a template does not fit what the partner answered.
        """
        try:
            return read_each(self.fields, context)
        except HeadraceError as error:
            raise TokenRefused(redactor.redact(f"The partner's answer cannot be read: {error}")) from None


def check_all(checks: Iterable[Check], context: Context, redactor: Redactor) -> None:
    """
    See that every check holds.

    Raises:
        TokenRefused: one does not; the message names it.
    """
    for check in checks:
        try:
            if check.holds(context):
                continue
            reason = ""
        except HeadraceError as error:
            reason = redactor.redact(f" ({error})")
        raise TokenRefused(f"The partner's answer does not pass the validation '{check.name}'{reason}.")


def context_of(auth_data: Mapping[str, str], user: Mapping[str, str], answer: TokenAnswer | None = None) -> Context:
    """Return what the templates of a request for a token may read."""
    context: dict[str, Any] = {"authData": dict(auth_data), "userContext": dict(user)}
    return context if answer is None else {**context, "response": answer.seen()}


def _read(text: TemplatedText, name: str) -> Written:
    """Compile what is read from an answer; it is kept and compared as it is, so nothing of it is escaped."""
    return compile_template(text.value, escaping="none", name=name) if text.is_template else Fixed(text.value)


def _is_as_expected(actual: str, expected: str) -> bool:
    if actual == expected:
        return True
    try:
        check_pattern(expected)
    except NotAPattern:
        return False
    return is_match(rf"\A(?:{expected})\Z", actual)
