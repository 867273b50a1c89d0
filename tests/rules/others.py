"""Audience templates and shared credentials: rules 90 and 91 of configurations, A9 and A10 of requests."""

from authored import KINDS_OF_CREDENTIALS, audience_event
from rules.case import ABSENT, CREDENTIALS, TEMPLATE, Table

TABLE = Table()
refused, warned, right = TABLE.refused, TABLE.warned, TABLE.right

EVENT = "/metadataTemplate/create"
for name in ("url", "httpMethod"):
    refused(f"a request without {name}", TEMPLATE, {f"{EVENT}/{name}": ABSENT}, f"missing-field {EVENT}/{name}")
for name in ("HEAD", "OPTIONS", "post"):
    refused(f"a request by {name}", TEMPLATE, {f"{EVENT}/httpMethod": name}, f"not-allowed {EVENT}/httpMethod")
for name in ("GET", "PUT", "DELETE", "PATCH"):
    right(f"a request by {name}", TEMPLATE, {f"{EVENT}/httpMethod": name})
refused("no request", TEMPLATE, {EVENT: ABSENT}, "no-event /metadataTemplate")
refused("no template", TEMPLATE, {"/metadataTemplate": ABSENT}, "missing-field /metadataTemplate")
for name in ("update", "delete", "validate", "notify", "createDestination", "updateDestination", "deleteDestination"):
    right(f"a request to {name} alone", TEMPLATE, {EVENT: ABSENT, f"/metadataTemplate/{name}": audience_event()})
warned("no name", TEMPLATE, {"/metadataTemplate/name": ABSENT}, "unnamed-template /metadataTemplate/name")
refused("a body as a text", TEMPLATE, {f"{EVENT}/requestBody": "{}"}, f"invalid {EVENT}/requestBody")
right("a body that is a text", TEMPLATE, {f"{EVENT}/requestBody": {"json": "{{segment.name}}"}})
for name in ("field", "regex"):
    refused(
        f"a check without {name}", TEMPLATE, {f"/validations/0/{name}": ABSENT}, f"missing-field /validations/0/{name}"
    )
refused("a check that is no pattern", TEMPLATE, {"/validations/0/regex": "("}, "not-a-pattern /validations/0/regex")
right("no checks", TEMPLATE, {"/validations": ABSENT})
refused("checks inside of a request", TEMPLATE, {f"{EVENT}/validations": []}, f"unknown-field {EVENT}/validations")

WITHOUT = {"/basicAuthentication": ABSENT, "/type": ABSENT}
refused("no credentials", CREDENTIALS, WITHOUT, "no-kind ")
refused("null credentials", CREDENTIALS, {"/basicAuthentication": None, "/type": ABSENT}, "no-kind ")
for kind, says in KINDS_OF_CREDENTIALS.items():
    right(f"credentials: {kind}", CREDENTIALS, WITHOUT | {f"/{kind}": says})
    for name in sorted(says.keys() - {"url", "header", "developerToken", "expiration"}):
        here = WITHOUT | {f"/{kind}": {key: value for key, value in says.items() if key != name}}
        refused(f"credentials: {kind} without {name}", CREDENTIALS, here, f"missing-field /{kind}/{name}")
refused(
    "two kinds of credentials",
    CREDENTIALS,
    {"/s3Authentication": KINDS_OF_CREDENTIALS["s3Authentication"]},
    "several-kinds /s3Authentication",
)
refused("a type of other credentials", CREDENTIALS, {"/type": "S3"}, "other-kind /type")
for name in ("BASIC", "basic", "basicAuthentication"):
    right(f"the type {name}", CREDENTIALS, {"/type": name})
right("no type", CREDENTIALS, {"/type": ABSENT})
for kind in (
    "oauth2UserAuthentication",
    "oauth2AccessTokenAuthentication",
    "oauth1Authentication",
    "azureEventHubAuthentication",
    "awsClientRegionAuthentication",
):
    refused(
        f"credentials that there are no more: {kind}",
        CREDENTIALS,
        WITHOUT | {f"/{kind}": {}},
        f"retired-field /{kind}",
        "no-kind ",
    )
