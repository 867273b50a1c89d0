"""How an access token is asked for: the request of the author's own, and the fields that go into it and come out."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from headrace.model.block import Block, Flag, read_of, rule
from headrace.model.destination_server import HttpTemplate, UrlBasedDestination
from headrace.model.problem import Problem
from headrace.model.text import NamedTemplate, TemplatedText

#: Names of data fields whose values are secrets, whatever their format.
SECRET_NAMES = frozenset({"clientSecret", "password", "accessToken", "refreshToken"})
_KINDS: dict[str, tuple[type, str]] = {
    "string": (str, "a text"),
    "boolean": (bool, "`true` or `false`"),
    "integer": (int, "a whole number"),
}


class AuthenticationDataField(Block):
    """A value that signing in needs, fixes or keeps; templates read it as `authData.<name>`."""

    old_names: ClassVar[Mapping[str, str]] = {"fieldType": "source"}

    name: str = Field(
        min_length=1,
        description="Its name. `clientId`, `clientSecret`, `username`, `password`, `accessToken`, `refreshToken`, "
        "`expiresIn`, `tokenType` and `scope` take the place of the values that OAuth 2 knows by these names.",
    )
    title: str | None = Field(None, description="The label on the form.")
    description: str | None = Field(None, description="The help on the form.")
    type: Literal["string", "boolean", "integer"] | None = Field(None, description="The type of the value.")
    is_required: Flag = Field(False, description="It must have a value before the operator is signed in.")
    format: Literal["password"] | None = Field(None, description="`password`: the value is a secret.")
    source: Literal["CUSTOMER", "PARTNER"] | None = Field(
        None, description="Who gives the value: the operator on the form, or the author in `value`."
    )
    value: Any = Field(None, description="The value, where the author fixes it.")
    authentication_response_path: str | None = Field(
        None, min_length=1, description="Where the value stands in the partner's answer, where it comes from there."
    )

    @rule
    def _the_value_is_of_its_type(self) -> Iterator[Problem]:
        if self.type is None or self.value is None:
            return
        kind, words = _KINDS[self.type]
        if type(self.value) is not kind:
            yield Problem("invalid", "/value", f"`value` is {words}, as `type` is `{self.type}`; change one of them")

    @rule
    def _has_a_value_from_somewhere(self) -> Iterator[Problem]:
        if self.source == "PARTNER" and self.value is None and self.authentication_response_path is None:
            message = (
                f"`{self.name}` comes from the author, who gives none: add `value` or `authenticationResponsePath`"
            )
            yield Problem("no-value", "/source", message)

    @classmethod
    def secrets_in(cls, document: Mapping[str, object]) -> Iterator[str]:
        """Its value is a secret by its format or by its name."""
        if document.get("format") == "password" or document.get("name") in SECRET_NAMES:
            yield "value"

    @property
    def is_asked_for(self) -> bool:
        """Whether the operator is asked for it; what is read from an answer is not, whatever `source` says."""
        return self.source == "CUSTOMER" and self.authentication_response_path is None


class TokenCheck(Block):
    """What must hold of the partner's answer before a token is kept."""

    name: str = Field(min_length=1, description="Shown where the check fails.")
    description: str | None = Field(None, description="What it is for.")
    actual_value: TemplatedText = Field(description="What is looked at, read from the answer.")
    expected_value: TemplatedText = Field(description="What it must be, or the regular expression it must match.")


class TokenRequest(Block):
    """The request for a token in the author's own words; it renews tokens too."""

    destination_server_type: Literal["URL_BASED"] = Field(description="The kind of endpoint: always `URL_BASED`.")
    url_based_destination: UrlBasedDestination = Field(description="The address; it may read `authData`.")
    http_template: HttpTemplate = Field(description="The request: method, headers, body.")
    response_fields: tuple[NamedTemplate, ...] = Field(
        (),
        description="What is kept of the answer: `accessToken`, `refreshToken`, `expiresIn`, `tokenType`, `scope`, "
        "or any data field, by its name.",
    )
    validations: tuple[TokenCheck, ...] = Field((), description="What must hold of the answer.")

    @rule
    def _brings_an_access_token(self) -> Iterator[Problem]:
        if all(read_of(field, "name") != "accessToken" for field in self.response_fields):
            message = "`responseFields` has no `accessToken`: say where it stands in the partner's answer"
            yield Problem("no-access-token", "/responseFields", message)
