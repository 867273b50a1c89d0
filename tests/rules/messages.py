"""What audiences are called, and how messages are put together: rules 85 to 87, 95, and 99 to 102."""

from rules.case import ABSENT, DATASETS, MESSAGES, WAITING, Table

TABLE = Table()
refused, warned, right = TABLE.refused, TABLE.warned, TABLE.right

NEWER, OLDER = "/audienceMetadataConfig", "/segmentMappingConfig"
WAYS = ("mapUserInput", "mapExperiencePlatformSegmentId", "mapExperiencePlatformSegmentName")

for way in WAYS:
    right(f"identifiers by {way}", MESSAGES, {NEWER: {way: True}})
    right(f"identifiers by {way} of the older home", MESSAGES, {NEWER: ABSENT, OLDER: {way: True}})
right("no identifiers", MESSAGES, {NEWER: ABSENT})
refused(
    "typed, and brought by requests",
    MESSAGES,
    {NEWER: {"mapUserInput": True, "audienceTemplateId": "t"}},
    f"input-beside-template {NEWER}/mapUserInput",
)
refused(
    "typed in one home, and brought in the other",
    MESSAGES,
    {NEWER: {"audienceTemplateId": "t"}, OLDER: {"mapUserInput": True}},
    f"input-beside-template {OLDER}/mapUserInput",
)
right(
    "a template in one home, and flags in the other",
    MESSAGES,
    {NEWER: {"audienceTemplateId": "t"}, OLDER: dict.fromkeys(WAYS, False)},
)
refused(
    "the id and the name",
    MESSAGES,
    {NEWER: {WAYS[1]: True, WAYS[2]: True}},
    f"several-identifiers {NEWER}/{WAYS[2]}",
)
refused(
    "the id in one home and the name in the other",
    MESSAGES,
    {NEWER: {WAYS[1]: True}, OLDER: {WAYS[2]: True}},
    f"several-identifiers {OLDER}/{WAYS[2]}",
)
refused(
    "two homes that differ", MESSAGES, {NEWER: {WAYS[1]: True}, OLDER: {WAYS[1]: False}}, f"two-homes {OLDER}/{WAYS[1]}"
)
right("two homes that agree", MESSAGES, {OLDER: {WAYS[1]: True}})
OWN = {"x-headrace": {"authenticationId": "c"}}
right("requests that the author's credentials sign", MESSAGES, {NEWER: {"audienceTemplateId": "t", **OWN}})
right("the same in two homes", MESSAGES, {NEWER: {"audienceTemplateId": "t"}, OLDER: OWN})
warned(
    "credentials for requests that there are none of",
    MESSAGES,
    {NEWER: {WAYS[1]: True, **OWN}},
    f"has-no-effect {NEWER}/x-headrace/authenticationId",
)
# -- the policy ------------------------------------------------------------------------------------------------------
POLICY = "/aggregation"
refused(
    "a policy that is none", MESSAGES, {f"{POLICY}/aggregationType": "NONE"}, f"not-allowed {POLICY}/aggregationType"
)
refused(
    "at once, without saying how",
    MESSAGES,
    {POLICY: {"aggregationType": "BEST_EFFORT"}},
    f"no-policy {POLICY}/bestEffortAggregation",
)
refused(
    "together, without saying how",
    WAITING,
    {f"{POLICY}/configurableAggregation": ABSENT},
    f"no-policy {POLICY}/configurableAggregation",
)
right("datasets say nothing of how", DATASETS, {})
refused(
    "at once, and together",
    WAITING,
    {f"{POLICY}/bestEffortAggregation": {"maxUsersPerRequest": 1}},
    f"other-policy {POLICY}/bestEffortAggregation",
)
refused(
    "together, and said how for at once",
    MESSAGES,
    {f"{POLICY}/aggregationType": "CONFIGURABLE_AGGREGATION"},
    f"other-policy {POLICY}/bestEffortAggregation",
    f"no-policy {POLICY}/configurableAggregation",
)
# -- what the profiles of a message share ------------------------------------------------------------------------------
KEY = f"{POLICY}/configurableAggregation/aggregationKey"
refused("together, by what", WAITING, {KEY: ABSENT}, f"missing-field {KEY}")
right("at once, in no groups", MESSAGES, {f"{POLICY}/bestEffortAggregation/aggregationKey": None})
refused(
    "by status and not by audience",
    WAITING,
    {f"{KEY}/includeSegmentId": False},
    f"status-without-audience {KEY}/includeSegmentStatus",
)
right("by audience and not by status", WAITING, {f"{KEY}/includeSegmentStatus": False})
for id_, value in (("no groups", ABSENT), ("null groups", None), ("an empty list of groups", [])):
    refused(f"by identity, and {id_}", WAITING, {f"{KEY}/groups": value}, f"nothing-to-group-by {KEY}/includeIdentity")
right("by each identity", WAITING, {f"{KEY}/groups": ABSENT, f"{KEY}/oneIdentityPerGroup": True})
warned("by each identity, and groups", WAITING, {f"{KEY}/oneIdentityPerGroup": True}, f"has-no-effect {KEY}/groups")
warned("not by identity, and groups", WAITING, {f"{KEY}/includeIdentity": False}, f"has-no-effect {KEY}/groups")
refused(
    "a namespace in two groups",
    WAITING,
    {f"{KEY}/groups/1/namespaces/-": "harbor_id"},
    f"in-two-groups {KEY}/groups/1/namespaces/1",
)
refused(
    "a namespace twice in a group",
    WAITING,
    {f"{KEY}/groups/0/namespaces/-": "harbor_id"},
    f"in-two-groups {KEY}/groups/0/namespaces/1",
)
refused("an empty group", WAITING, {f"{KEY}/groups/-": {"namespaces": []}}, f"invalid {KEY}/groups/2/namespaces")
warned(
    "a group of what is no target",
    WAITING,
    {f"{KEY}/groups/-": {"namespaces": ["x"]}},
    f"not-a-target {KEY}/groups/2/namespaces/0",
)
warned("a target in no group", WAITING, {f"{KEY}/groups": [{"namespaces": ["harbor_id"]}]}, f"in-no-group {KEY}/groups")
right("two targets in one group", WAITING, {f"{KEY}/groups": [{"namespaces": ["harbor_id", "email_hash"]}]})
