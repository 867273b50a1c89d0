"""The ways in which operators sign in at a partner; for OAuth 2, everything that is told about it."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from headrace.model.block import Block, read_of, repeated, rule
from headrace.model.kinds import SecretText, WebUrl
from headrace.model.problem import Problem
from headrace.model.token import AuthenticationDataField, TokenCheck, TokenRequest

AuthType = Literal[
    "BASIC",
    "BEARER",
    "OAUTH2",
    "S3",
    "AZURE_CONNECTION_STRING",
    "AZURE_SERVICE_PRINCIPAL",
    "SFTP_WITH_PASSWORD",
    "SFTP_WITH_SSH_KEY",
    "GOOGLE_CLOUD_STORAGE",
]
Grant = Literal["OAUTH2_AUTHORIZATION_CODE", "OAUTH2_PASSWORD", "OAUTH2_CLIENT_CREDENTIALS"]
_CODE_GRANT = "OAUTH2_AUTHORIZATION_CODE"


def _not_oauth1(value: object) -> object:
    if value == "OAUTH1":
        raise PydanticCustomError("no-oauth1", "is OAuth 1, which is not supported; use `OAUTH2`, `BEARER` or `BASIC`")
    return value


class AuthenticationExtension(Block):
    """What Headrace adds to a way of signing in."""

    revocation_url: WebUrl | None = Field(
        None,
        description="The partner's endpoint that ends tokens (RFC 7009). When an account is revoked or deleted, its "
        "refresh token is sent there, or its access token where there is none. Without it the partner is not told.",
    )


class CustomerAuthentication(Block):
    """One way in which an operator can sign in at the partner. All fields but `authType` are of OAuth 2."""

    old_names: ClassVar[Mapping[str, str]] = {"scopes": "scope"}

    auth_type: Annotated[AuthType, BeforeValidator(_not_oauth1)] = Field(
        description="The kind of credentials the operator is asked for."
    )
    options: dict[str, Any] = Field(
        default_factory=dict,
        description="Free settings. `useBasicAuth` set to `true` sends the client's id and secret in the header "
        "`Authorization`, and not in the body.",
    )
    grant: Grant | None = Field(None, description="How a token is come by. Needed for `OAUTH2`.")
    access_token_url: WebUrl | None = Field(None, description="The partner's endpoint that issues access tokens.")
    authorization_url: WebUrl | None = Field(None, description="The partner's page where the operator signs in.")
    refresh_token_url: WebUrl | None = Field(
        None, description="The endpoint that renews tokens. Without one, no token of an authorization code is renewed."
    )
    client_id: str | None = Field(None, min_length=1, description="The id that the partner knows us by.")
    client_secret: SecretText | None = Field(None, min_length=1, description="The secret that goes with `clientId`.")
    scope: tuple[str, ...] = Field((), description="The scopes that are asked for.")
    authentication_data_fields: tuple[AuthenticationDataField, ...] = Field(
        (), description="Further values that signing in needs, fixes or keeps."
    )
    access_token_request: TokenRequest | None = Field(
        None, description="The request for a token in your own words, in the place of the usual one."
    )
    validations: tuple[TokenCheck, ...] = Field((), description="What must hold of the answer before a token is kept.")
    access_token_response_path: str = Field("access_token", description="Where the access token stands in the answer.")
    refresh_token_response_path: str = Field("refresh_token", description="Where the refresh token stands in it.")
    expires_in_response_path: str = Field("expires_in", description="Where its lifetime in seconds stands in it.")
    extension: AuthenticationExtension = Field(
        default_factory=AuthenticationExtension, alias="x-headrace", description="Additions of Headrace."
    )

    @rule
    def _oauth2_is_told_of_oauth2_only(self) -> Iterator[Problem]:
        if self.auth_type == "OAUTH2":
            return
        for name in sorted(self.model_fields_set - {"auth_type", "options"}):
            message = f"it is a setting of `OAUTH2` and counts for nothing with `{self.auth_type}`; leave it out"
            yield Problem("has-no-effect", f"/{_wire(name)}", message)

    @rule
    def _oauth2_has_a_grant(self) -> Iterator[Problem]:
        if self.auth_type == "OAUTH2" and self.grant is None:
            message = f"`OAUTH2` needs a `grant`: one of {', '.join(get_args(Grant))}"
            yield Problem("missing-field", "/grant", message)

    @rule
    def _a_code_is_got_from_a_page(self) -> Iterator[Problem]:
        if self.auth_type == "OAUTH2" and self.grant == _CODE_GRANT and not self._has("authorization_url"):
            message = f"`{_CODE_GRANT}` needs `authorizationUrl`, the partner's page where operators sign in"
            yield Problem("missing-field", "/authorizationUrl", message)

    @rule
    def _no_other_grant_has_a_page(self) -> Iterator[Problem]:
        if self.authorization_url is not None and self.grant not in (None, _CODE_GRANT):
            message = f"`authorizationUrl` counts for nothing with `{self.grant}`; leave it out, or use `{_CODE_GRANT}`"
            yield Problem("has-no-effect", "/authorizationUrl", message)

    @rule
    def _a_token_is_got_from_somewhere(self) -> Iterator[Problem]:
        if self.auth_type != "OAUTH2" or self._has("access_token_url") or self.access_token_request is not None:
            return
        message = "`OAUTH2` needs `accessTokenUrl`, or the whole request in `accessTokenRequest`"
        yield Problem("no-token-endpoint", "/accessTokenUrl", message)

    @rule
    def _the_client_has_an_id(self) -> Iterator[Problem]:
        if self.auth_type == "OAUTH2" and not self._has("client_id") and self._signs_in_as_a_client("client_id"):
            yield Problem("missing-field", "/clientId", _client("clientId"))

    @rule
    def _the_client_has_a_secret(self) -> Iterator[Problem]:
        if self.auth_type == "OAUTH2" and not self._has("client_secret") and self._signs_in_as_a_client("secret"):
            yield Problem("missing-field", "/clientSecret", _client("clientSecret"))

    @rule
    def _the_form_has_name_and_password_already(self) -> Iterator[Problem]:
        for place, field in enumerate(self.authentication_data_fields if self.grant == "OAUTH2_PASSWORD" else ()):
            if read_of(field, "name") in ("username", "password"):
                message = f"`{self.grant}` asks for user name and password by itself; leave this field out"
                yield Problem("asked-already", f"/authenticationDataFields/{place}/name", message)

    @rule
    def _names_of_fields_differ(self) -> Iterator[Problem]:
        for place, name in repeated(self.authentication_data_fields):
            message = f"another data field is named `{name}`; give each a name of its own"
            yield Problem("named-twice", f"/authenticationDataFields/{place}/name", message)

    @rule
    def _basic_authentication_is_on_or_off(self) -> Iterator[Problem]:
        if not isinstance(self.options.get("useBasicAuth", False), bool):
            yield Problem("invalid", "/options/useBasicAuth", "`useBasicAuth` is `true` or `false`, without quotes")

    @property
    def uses_basic_auth(self) -> bool:
        """Whether the client's id and secret go in a header."""
        return self.options.get("useBasicAuth") is True

    def _has(self, name: str) -> bool:
        """Say whether an input is given: by its own field, or by a data field of its name."""
        fields = self.authentication_data_fields
        return getattr(self, name) is not None or any(read_of(field, "name") == _wire(name) for field in fields)

    def _signs_in_as_a_client(self, with_: str) -> bool:
        """Say whether a request that is not the author's own needs the client's id or secret."""
        return self.access_token_request is None or (with_ == "client_id" and self.grant == _CODE_GRANT)


def _wire(name: str) -> str:
    return CustomerAuthentication.model_fields[name].alias or name


def _client(name: str) -> str:
    return f"`OAUTH2` needs `{name}`: here or in `authenticationDataFields`, unless an `accessTokenRequest` has its own"
