"""Signing in and delivery: rules 23 to 28, and 33 as far as one object shows it."""

from authored import oauth2_by_code
from rules.case import ABSENT, FILES, MESSAGES, Table

TABLE = Table()
refused, warned, right = TABLE.refused, TABLE.warned, TABLE.right

WAYS = "/customerAuthenticationConfigurations"
RULE = "/destinationDelivery/0/authenticationRule"
ID = "/destinationDelivery/0/authenticationId"
NONE_ASKED = {WAYS: []}

for name in ("BASIC", "BEARER", "S3", "AZURE_CONNECTION_STRING", "AZURE_SERVICE_PRINCIPAL", "GOOGLE_CLOUD_STORAGE"):
    right(f"signing in with {name}", MESSAGES, {f"{WAYS}/0/authType": name})
right("signing in with OAUTH2", MESSAGES, {f"{WAYS}/0": oauth2_by_code()})
right("two ways to sign in", FILES, {})
refused("a way to sign in that is none", MESSAGES, {f"{WAYS}/0/authType": "KERBEROS"}, f"not-allowed {WAYS}/0/authType")
refused("a way to sign in, in lower case", MESSAGES, {f"{WAYS}/0/authType": "bearer"}, f"not-allowed {WAYS}/0/authType")
refused("signing in with OAuth 1", MESSAGES, {f"{WAYS}/0/authType": "OAUTH1"}, f"no-oauth1 {WAYS}/0/authType")
refused("a way to sign in of no type", MESSAGES, {f"{WAYS}/0": {}}, f"missing-field {WAYS}/0/authType")
warned(
    "a setting of OAuth 2 with another way",
    MESSAGES,
    {f"{WAYS}/0/clientId": "headrace", f"{WAYS}/0/scope": ["a"]},
    f"has-no-effect {WAYS}/0/clientId",
    f"has-no-effect {WAYS}/0/scope",
)
# -- the rule and what goes with it ----------------------------------------------------------------------------------
refused("ways to sign in under NONE", MESSAGES, {RULE: "NONE"}, f"sign-in-unused {WAYS}")
refused(
    "ways to sign in under shared credentials",
    FILES,
    {RULE: "PLATFORM_AUTHENTICATION", ID: "c"},
    f"sign-in-unused {WAYS}",
)
right("nothing to sign in with under NONE", MESSAGES, {RULE: "NONE", **NONE_ASKED})
right("nothing to sign in with under NONE, left out", MESSAGES, {RULE: "NONE", WAYS: ABSENT})
refused("nothing to sign in with", MESSAGES, NONE_ASKED, f"no-sign-in {WAYS}")
refused("nothing to sign in with, left out", MESSAGES, {WAYS: ABSENT}, f"no-sign-in {WAYS}")
refused("a rule that is none", MESSAGES, {RULE: "OPERATOR"}, f"not-allowed {RULE}")
refused("no rule", MESSAGES, {RULE: ABSENT}, f"missing-field {RULE}")
refused(
    "shared credentials that are not named",
    MESSAGES,
    {RULE: "PLATFORM_AUTHENTICATION", **NONE_ASKED},
    f"missing-field {ID}",
)
right("shared credentials", MESSAGES, {RULE: "PLATFORM_AUTHENTICATION", ID: "c-1", **NONE_ASKED})
warned("shared credentials under another rule", MESSAGES, {ID: "c-1"}, f"has-no-effect {ID}")
# -- delivery --------------------------------------------------------------------------------------------------------
refused(
    "two deliveries",
    MESSAGES,
    {"/destinationDelivery/-": {"authenticationRule": "NONE", "destinationServerId": "s-9"}},
    "several-deliveries /destinationDelivery/1",
)
refused(
    "two deliveries, one of them wrong",
    MESSAGES,
    {"/destinationDelivery/-": {"authenticationRule": "NONE"}},
    "several-deliveries /destinationDelivery/1",
    "missing-field /destinationDelivery/1/destinationServerId",
)
MATCHER = "/destinationDelivery/0/deliveryMatchers/0"
refused("a matcher of messages", FILES, {f"{MATCHER}/value": ["realtime"]}, f"wrong-matcher {MATCHER}/value")
refused("a matcher of nothing", FILES, {f"{MATCHER}/value": []}, f"wrong-matcher {MATCHER}/value")
refused("a matcher of actions", FILES, {f"{MATCHER}/type": "ACTION"}, f"not-allowed {MATCHER}/type")
