"""OAuth 2: rules 36 to 51."""

from authored import oauth2_by_code, oauth2_by_request
from rules.case import ABSENT, MESSAGES, Table

TABLE = Table()

WAY = "/customerAuthenticationConfigurations/0"
DATA = f"{WAY}/authenticationDataFields"
REQUEST = f"{WAY}/accessTokenRequest"


def code(changes):
    return {WAY: oauth2_by_code(), **{f"{WAY}{where}": value for where, value in changes.items()}}


def own(changes):
    return {WAY: oauth2_by_request(), **{f"{WAY}{where}": value for where, value in changes.items()}}


def password(changes):
    base = {"authType": "OAUTH2", "grant": "OAUTH2_PASSWORD", "accessTokenUrl": "https://login.harbor.example/token"}
    return {
        WAY: base | {"clientId": "a", "clientSecret": "b"},
        **{f"{WAY}{at}": value for at, value in changes.items()},
    }


def refused(id_, changes, *problems):
    TABLE.refused(id_, MESSAGES, changes, *problems)


def warned(id_, changes, *problems):
    TABLE.warned(id_, MESSAGES, changes, *problems)


def right(id_, changes):
    TABLE.right(id_, MESSAGES, changes)


# -- grants --------------------------------------------------------------------------------------------------------
right("a code", code({}))
right("a password", password({}))
right("a request of one's own", own({}))
refused("no grant", own({"/grant": ABSENT}), f"missing-field {WAY}/grant")
refused("a grant that is none", own({"/grant": "OAUTH2_REFRESH_TOKEN"}), f"not-allowed {WAY}/grant")
refused("a code without a page", code({"/authorizationUrl": ABSENT}), f"missing-field {WAY}/authorizationUrl")
warned(
    "a page without a code",
    password({"/authorizationUrl": "https://a.example"}),
    f"has-no-effect {WAY}/authorizationUrl",
)
# -- where tokens come from ------------------------------------------------------------------------------------------
refused("no endpoint for tokens", password({"/accessTokenUrl": ABSENT}), f"no-token-endpoint {WAY}/accessTokenUrl")
right("no page for renewals", code({"/refreshTokenUrl": ABSENT}))
right("a place where tokens are ended", code({"/x-headrace": {"revocationUrl": "https://login.harbor.example/end"}}))
for name in ("accessTokenUrl", "authorizationUrl", "refreshTokenUrl"):
    for words, wrong in (("host", "login.harbor.example/token"), ("path", "/token"), ("script", "javascript:alert(1)")):
        refused(f"{name} that is a {words}", code({f"/{name}": wrong}), f"not-a-url {WAY}/{name}")
refused(
    "revocationUrl that is a host",
    code({"/x-headrace": {"revocationUrl": "login.harbor.example/end"}}),
    f"not-a-url {WAY}/x-headrace/revocationUrl",
)
right("an address without encryption", code({"/accessTokenUrl": "http://localhost:9000/token"}))
# -- the client ------------------------------------------------------------------------------------------------------
refused("no id", password({"/clientId": ABSENT}), f"missing-field {WAY}/clientId")
refused("no secret", password({"/clientSecret": ABSENT}), f"missing-field {WAY}/clientSecret")
right(
    "id and secret from each operator",
    password(
        {
            "/clientId": ABSENT,
            "/clientSecret": ABSENT,
            "/authenticationDataFields": [
                {"name": "clientId", "source": "CUSTOMER"},
                {"name": "clientSecret", "source": "CUSTOMER", "format": "password"},
            ],
        }
    ),
)
right("no client where the request is one's own", own({"/authenticationDataFields": []}))
refused(
    "no id for a code, whatever the request",
    code(
        {"/clientId": ABSENT, "/clientSecret": ABSENT, "/accessTokenRequest": oauth2_by_request()["accessTokenRequest"]}
    ),
    f"missing-field {WAY}/clientId",
)
refused(
    "basic authentication as a text", code({"/options/useBasicAuth": "true"}), f"invalid {WAY}/options/useBasicAuth"
)
right("other options", code({"/options": {"anything": [1]}}))
refused("scopes as one text", code({"/scope": "a b"}), f"invalid {WAY}/scope")
refused("a scope that is a number", code({"/scope": ["a", 1]}), f"invalid {WAY}/scope/1")
warned("scopes under their old name", code({"/scope": ABSENT, "/scopes": ["a"]}), f"old-name {WAY}/scopes")
refused(
    "scopes under two names",
    code({"/scopes": ["z"]}),
    f"two-names {WAY}/scopes",
    f"? old-name {WAY}/scopes",
)
# -- data fields -----------------------------------------------------------------------------------------------------
for name in ("username", "password"):
    warned(
        f"the {name} twice",
        password({"/authenticationDataFields": [{"name": name, "source": "CUSTOMER"}]}),
        f"asked-already {DATA}/0/name",
    )
right(
    "a user name with another grant", own({"/authenticationDataFields/-": {"name": "username", "source": "CUSTOMER"}})
)
refused(
    "a data field without a name",
    own({"/authenticationDataFields/0": {"source": "CUSTOMER"}}),
    f"missing-field {DATA}/0/name",
)
refused(
    "two data fields of one name", own({"/authenticationDataFields/-": {"name": "berth"}}), f"named-twice {DATA}/3/name"
)
refused("a type that is none", own({"/authenticationDataFields/0/type": "object"}), f"not-allowed {DATA}/0/type")
for kind, fits, unfit in (("string", "a", 1), ("boolean", False, "false"), ("integer", 1, True)):
    item = {"name": "x", "type": kind, "source": "PARTNER"}
    right(f"a value of the type {kind}", own({"/authenticationDataFields/-": item | {"value": fits}}))
    refused(
        f"a value of another type than {kind}",
        own({"/authenticationDataFields/-": item | {"value": unfit}}),
        f"invalid {DATA}/3/value",
    )
refused(
    "a source that is none", own({"/authenticationDataFields/0/source": "PLATFORM"}), f"not-allowed {DATA}/0/source"
)
warned(
    "a source under its old name",
    own({"/authenticationDataFields/0/source": ABSENT, "/authenticationDataFields/0/fieldType": "CUSTOMER"}),
    f"old-name {DATA}/0/fieldType",
)
refused(
    "a value from nowhere",
    own({"/authenticationDataFields/-": {"name": "x", "source": "PARTNER"}}),
    f"no-value {DATA}/3/source",
)
right(
    "a value from the answer",
    own({"/authenticationDataFields/-": {"name": "x", "source": "PARTNER", "authenticationResponsePath": "a.b"}}),
)
warned(
    "a template that is not rendered",
    code({"/validations/0/actualValue": {"templatingStrategy": "NONE", "value": "{{ response.status }}"}}),
    f"not-rendered {WAY}/validations/0/actualValue/value",
)
# -- requests of one's own ---------------------------------------------------------------------------------------------
refused(
    "a request to files",
    own({"/accessTokenRequest/destinationServerType": "FILE_BASED_S3"}),
    f"not-allowed {REQUEST}/destinationServerType",
)
refused(
    "a request of no type",
    own({"/accessTokenRequest/destinationServerType": ABSENT}),
    f"missing-field {REQUEST}/destinationServerType",
)
refused(
    "a request to nowhere",
    own({"/accessTokenRequest/urlBasedDestination": ABSENT}),
    f"missing-field {REQUEST}/urlBasedDestination",
)
refused(
    "a request without a method",
    own({"/accessTokenRequest/httpTemplate/httpMethod": ABSENT}),
    f"missing-field {REQUEST}/httpTemplate/httpMethod",
)
refused(
    "a request without a template",
    own({"/accessTokenRequest/httpTemplate": ABSENT}),
    f"missing-field {REQUEST}/httpTemplate",
)
refused(
    "a request that keeps nothing",
    own({"/accessTokenRequest/responseFields": []}),
    f"no-access-token {REQUEST}/responseFields",
)
refused(
    "a request that keeps no token",
    own({"/accessTokenRequest/responseFields/0/name": "refreshToken"}),
    f"no-access-token {REQUEST}/responseFields",
)
for name in ("name", "actualValue", "expectedValue"):
    refused(
        f"a check of a request without {name}",
        own({f"/accessTokenRequest/validations/0/{name}": ABSENT}),
        f"missing-field {REQUEST}/validations/0/{name}",
    )
    refused(
        f"a check without {name}", code({f"/validations/0/{name}": ABSENT}), f"missing-field {WAY}/validations/0/{name}"
    )
