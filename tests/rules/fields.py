"""Names and values: rules 1 to 6 of the whole, and the limits of single fields."""

from rules.case import ABSENT, FILES, MESSAGES, WAITING, Table

TABLE = Table()
refused, warned, right = TABLE.refused, TABLE.warned, TABLE.right

# -- case counts ---------------------------------------------------------------------------------------------------
refused("a status in the wrong case", MESSAGES, {"/status": "Test"}, "not-allowed /status")
refused("a status that is none", MESSAGES, {"/status": "LIVE"}, "not-allowed /status")
right("a deleted card", MESSAGES, {"/status": "DELETED"})
right("a published card", MESSAGES, {"/status": "PUBLISHED"})
refused(
    "a frequency in the wrong case", FILES, {"/uiAttributes/frequency": "batch"}, "not-allowed /uiAttributes/frequency"
)
refused(
    "an aggregation in the wrong case",
    MESSAGES,
    {"/aggregation/aggregationType": "Best_effort"},
    "not-allowed /aggregation/aggregationType",
)
refused(
    "a name in the wrong case",
    MESSAGES,
    {"/uiAttributes/Category": "crm"},
    "unknown-field /uiAttributes/Category",
)
# -- what is needed ------------------------------------------------------------------------------------------------
refused("no name", MESSAGES, {"/name": ABSENT}, "missing-field /name")
refused("an empty name", MESSAGES, {"/name": ""}, "invalid /name")
refused("no status", MESSAGES, {"/status": ABSENT}, "missing-field /status")
refused("no delivery", MESSAGES, {"/destinationDelivery": ABSENT}, "missing-field /destinationDelivery")
refused("a delivery of nothing", MESSAGES, {"/destinationDelivery": []}, "invalid /destinationDelivery")
refused(
    "a delivery without a server",
    MESSAGES,
    {"/destinationDelivery/0/destinationServerId": ABSENT},
    "missing-field /destinationDelivery/0/destinationServerId",
)
# -- what is unknown -----------------------------------------------------------------------------------------------
refused("a field that is not known", MESSAGES, {"/colour": "red"}, "unknown-field /colour")
refused(
    "a field that is not known, deep inside",
    MESSAGES,
    {"/identityNamespaces/harbor_id/acceptAttributes": True},
    "unknown-field /identityNamespaces/harbor_id/acceptAttributes",
)
right("fields of the server that are sent back", MESSAGES, {"/instanceId": "d-1", "/imsOrg": "o", "/sandboxId": "s"})
# -- old names -----------------------------------------------------------------------------------------------------
warned(
    "an old name",
    MESSAGES,
    {"/schemaConfig/segmentNamespaceDenyList": ABSENT, "/schemaConfig/segmentNamespaceDenied": []},
    "old-name /schemaConfig/segmentNamespaceDenied",
)
warned(
    "an old and a new name that agree",
    MESSAGES,
    {"/schemaConfig/segmentNamespaceDenied": []},
    "old-name /schemaConfig/segmentNamespaceDenied",
)
refused(
    "an old and a new name that differ",
    MESSAGES,
    {"/schemaConfig/segmentNamespaceDenied": ["ups"]},
    "two-names /schemaConfig/segmentNamespaceDenied",
    "? old-name /schemaConfig/segmentNamespaceDenied",
)
# -- limits --------------------------------------------------------------------------------------------------------
for name in ("maxProfileAttributes", "maxIdentityAttributes"):
    right(f"{name} as digits", MESSAGES, {f"/{name}": "9000"})
    right(f"{name} of one", MESSAGES, {f"/{name}": 1})
    for wrong in (0, -1, 1.5, "many", True, None):
        refused(f"{name} of {wrong!r}", MESSAGES, {f"/{name}": wrong}, f"invalid /{name}")
_BEST = "/aggregation/bestEffortAggregation/maxUsersPerRequest"
right("one profile a message", MESSAGES, {_BEST: 1})
right("profiles a message as digits", MESSAGES, {_BEST: "100"})
refused("no profile a message", MESSAGES, {_BEST: 0}, f"invalid {_BEST}")
refused("half a profile a message", MESSAGES, {_BEST: 0.5}, f"invalid {_BEST}")
_WAITING = "/aggregation/configurableAggregation"
for name, least, most in (("maxBatchAgeInSecs", 301, 3600), ("maxNumEventsInBatch", 1000, 10000)):
    right(f"the least {name}", WAITING, {f"{_WAITING}/{name}": least})
    right(f"the most {name}", WAITING, {f"{_WAITING}/{name}": str(most)})
    refused(f"less than the least {name}", WAITING, {f"{_WAITING}/{name}": least - 1}, f"invalid {_WAITING}/{name}")
    refused(f"more than the most {name}", WAITING, {f"{_WAITING}/{name}": most + 1}, f"invalid {_WAITING}/{name}")
    refused(f"no {name}", WAITING, {f"{_WAITING}/{name}": ABSENT}, f"missing-field {_WAITING}/{name}")
# -- lists of values -----------------------------------------------------------------------------------------------
right("marketing actions", MESSAGES, {"/marketingActions": ["ANALYTICS", "DATA_SCIENCE"]})
refused("a marketing action that is none", MESSAGES, {"/marketingActions": ["SPAM"]}, "not-allowed /marketingActions/0")
right("labels", MESSAGES, {"/duleLabels": ["C10", "S2"]})
refused("a label that is none", MESSAGES, {"/duleLabels": ["C1", "C11"]}, "not-allowed /duleLabels/1")
refused(
    "text where a flag is",
    MESSAGES,
    {"/backfillHistoricalProfileData": "true"},
    "invalid /backfillHistoricalProfileData",
)
# -- backfill ------------------------------------------------------------------------------------------------------
right("no word of the backfill", MESSAGES, {"/backfillHistoricalProfileData": ABSENT})
refused(
    "no backfill", MESSAGES, {"/backfillHistoricalProfileData": False}, "no-backfill /backfillHistoricalProfileData"
)
refused(
    "all identities, and a part for each",
    MESSAGES,
    {
        "/x-headrace": {"trigger": "profile"},
        "/aggregation/bestEffortAggregation/splitUserById": True,
    },
    "parted-by-identity /x-headrace/trigger",
)
right("all identities", MESSAGES, {"/x-headrace": {"trigger": "profile"}})
