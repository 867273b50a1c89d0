"""Credentials that all operators of a destination share: nobody is asked for any."""

from collections.abc import Iterator, Mapping
from typing import ClassVar

from pydantic import Field

from headrace.model.block import SERVER_SET, Block, Count, read_of, rule, wire_names
from headrace.model.kinds import SecretText
from headrace.model.problem import Problem


class BasicAuthentication(Block):
    """A user name and a password."""

    url: str | None = Field(None, description="The authorization provider.")
    username: str = Field(min_length=1, description="The user name.")
    password: SecretText = Field(min_length=1, description="The password.")


class S3Authentication(Block):
    """The keys of a bucket on Amazon S3, or what speaks like it."""

    access_id: str = Field(min_length=1, description="The id of the access key.")
    secret_key: SecretText = Field(min_length=1, description="The secret access key.")


class SshAuthentication(Block):
    """A user name and the key that goes with it, for SFTP."""

    username: str = Field(min_length=1, description="The user name.")
    ssh_key: SecretText = Field(min_length=1, description="The private key, as Base64 and without a passphrase.")


class AzureAuthentication(Block):
    """A service principal, for Azure Data Lake Storage."""

    url: str | None = Field(None, description="The address of the storage.")
    tenant: str = Field(min_length=1, description="The directory that the principal belongs to.")
    service_principal_id: str = Field(min_length=1, description="The principal's id.")
    service_principal_key: SecretText = Field(min_length=1, description="The principal's key.")


class AzureConnectionStringAuthentication(Block):
    """A connection string, for Azure Blob Storage."""

    connection_string: SecretText = Field(min_length=1, description="The connection string, with the account's key.")


class OAuth2ClientAuthentication(Block):
    """A client of the partner's that gets a token in its own name."""

    url: str = Field(min_length=1, description="The partner's endpoint that issues access tokens.")
    client_id: str = Field(min_length=1, description="The id that the partner knows us by.")
    client_secret: SecretText = Field(min_length=1, description="The secret that goes with it.")
    header: SecretText | None = Field(None, description="A further header that signing in needs.")
    developer_token: SecretText | None = Field(None, description="A further token that the partner wants.")


class OAuth2RefreshTokenAuthentication(Block):
    """A refresh token that access tokens are got with."""

    refresh_token: SecretText = Field(min_length=1, description="The refresh token.")
    expiration: Count | None = Field(None, ge=0, description="The seconds that an access token lives.")
    client_id: str = Field(min_length=1, description="The id that the partner knows us by.")
    client_secret: SecretText = Field(min_length=1, description="The secret that goes with it.")
    url: str = Field(min_length=1, description="The partner's endpoint that issues access tokens.")
    header: SecretText | None = Field(None, description="A further header that signing in needs.")


_OF_OPERATORS = "; let each operator sign in: `CUSTOMER_AUTHENTICATION` with the sign-in `{}`"


class Credentials(Block):
    """One set of shared credentials: exactly one of the kinds below."""

    ignored: ClassVar[frozenset[str]] = SERVER_SET
    retired: ClassVar[Mapping[str, str]] = {
        "oauth2UserAuthentication": "use `oauth2RefreshTokenAuthentication`" + _OF_OPERATORS.format("OAUTH2"),
        "oauth2AccessTokenAuthentication": "use `oauth2RefreshTokenAuthentication`" + _OF_OPERATORS.format("BEARER"),
        "oauth1Authentication": "OAuth 1 is not supported; use `oauth2ClientAuthentication` or `basicAuthentication`",
        "azureEventHubAuthentication": "event hubs are not supported; send messages to a `URL_BASED` server",
        "awsClientRegionAuthentication": "use `s3Authentication` with `accessId` and `secretKey`",
    }

    name: str | None = Field(None, description="A label.")
    type: str | None = Field(None, description="The kind; derived from the one that is there.")
    basic_authentication: BasicAuthentication | None = Field(None, description="A user name and a password.")
    s3_authentication: S3Authentication | None = Field(None, description="The keys of a bucket.")
    ssh_authentication: SshAuthentication | None = Field(None, description="A user name and a key, for SFTP.")
    azure_authentication: AzureAuthentication | None = Field(
        None, description="A service principal, for Azure Data Lake Storage."
    )
    azure_connection_string_authentication: AzureConnectionStringAuthentication | None = Field(
        None, description="A connection string, for Azure Blob Storage."
    )
    oauth2_client_authentication: OAuth2ClientAuthentication | None = Field(
        None, description="A client that gets tokens in its own name. The original has dropped this kind."
    )
    oauth2_refresh_token_authentication: OAuth2RefreshTokenAuthentication | None = Field(
        None, description="A refresh token. The original has dropped this kind."
    )

    @rule
    def _are_of_a_kind(self) -> Iterator[Problem]:
        if not self._given():
            kinds = ", ".join(f"`{wire}`" for wire in KINDS.values())
            yield Problem("no-kind", "", f"credentials are of exactly one kind; add one of {kinds}")

    @rule
    def _are_of_one_kind(self) -> Iterator[Problem]:
        given = [KINDS[name] for name in self._given()]
        if len(given) > 1:
            message = f"credentials are of exactly one kind, and these are `{'` and `'.join(given)}`; keep one"
            yield Problem("several-kinds", f"/{given[1]}", message)

    @rule
    def _the_type_is_that_of_the_kind(self) -> Iterator[Problem]:
        given = self._given()
        kind = given[0] if len(given) == 1 else None
        if kind is not None and self.type not in (None, KINDS[kind], *_TYPES.get(kind, ())):
            message = f"`type` names another kind than `{KINDS[kind]}`, which is here; leave `type` out"
            yield Problem("other-kind", "/type", message)

    @property
    def kind(self) -> str | None:
        """The name of the kind that is there, which is the `type` that is told of it."""
        return next((wire for name, wire in KINDS.items() if read_of(self, name) is not None), None)

    def _given(self) -> list[str]:
        """Return the kinds that a document gives, whether or not they could be read."""
        fields = self.__dict__
        return [name for name in KINDS if name in self.model_fields_set and fields.get(name, "unread") is not None]


#: The kinds by our names, each with its name in JSON.
KINDS = {name: wire for wire, name in wire_names(Credentials).items() if name not in ("name", "type")}
#: What older forms wrote as the type of a kind.
_TYPES = {
    "basic_authentication": ("BASIC", "basic"),
    "s3_authentication": ("S3",),
    "ssh_authentication": ("SSH",),
    "oauth2_client_authentication": ("OAUTH2_CLIENT_CREDENTIAL",),
    "oauth2_refresh_token_authentication": ("OAUTH2_REFRESH_TOKEN",),
}
