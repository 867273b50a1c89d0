"""The card, what may be mapped, and target identities: rules 65, 67 to 80, 82 and 83."""

from rules.case import ABSENT, DATASETS, FILES, MESSAGES, Table

TABLE = Table()
refused, warned, right = TABLE.refused, TABLE.warned, TABLE.right

UI = "/uiAttributes"
SCHEMA = "/schemaConfig"
ROWS = f"{SCHEMA}/requiredMappings"
DYNAMIC = {
    "destinationServerId": "s-4",
    "authenticationRule": "NONE",
    "value": "crates",
    "responseFormat": "SCHEMA",
}

# -- the card ------------------------------------------------------------------------------------------------------
refused("a category that is none", MESSAGES, {f"{UI}/category": "Advertising"}, f"not-allowed {UI}/category")
for name in ("S3", "SFTP", "DLZ"):
    warned(f"the category {name}", FILES, {f"{UI}/category": name}, f"unlisted-category {UI}/category")
right("another category", FILES, {f"{UI}/category": "payments"})
refused(
    "a connection type that is none",
    FILES,
    {f"{UI}/connectionType": "Cloud Storage"},
    f"not-allowed {UI}/connectionType",
)
right("another connection type", FILES, {f"{UI}/connectionType": "Cloud storage"})
right("a beta, as the original writes it", FILES, {f"{UI}/isBeta": "true"})
right("a beta", FILES, {f"{UI}/isBeta": True})
refused("half a beta", FILES, {f"{UI}/isBeta": "maybe"}, f"invalid {UI}/isBeta")
refused(
    "a link to a script", FILES, {f"{UI}/documentationLink": "javascript:alert(1)"}, f"not-a-url {UI}/documentationLink"
)
for name in ("category", "connectionType", "frequency"):
    warned(f"a card without {name}", MESSAGES, {f"{UI}/{name}": ABSENT}, f"incomplete-card {UI}/{name}")
warned("a card without attributes", MESSAGES, {UI: ABSENT}, f"incomplete-card {UI}")
warned("a card without a description", MESSAGES, {"/description": ABSENT}, "incomplete-card /description")
right("a private card without a link", MESSAGES, {f"{UI}/documentationLink": ABSENT})
warned(
    "a published card without a link",
    MESSAGES,
    {"/status": "PUBLISHED", f"{UI}/documentationLink": ABSENT},
    f"no-documentation-link {UI}/documentationLink",
)
warned(
    "a published card without anything",
    MESSAGES,
    {"/status": "PUBLISHED", UI: ABSENT},
    f"incomplete-card {UI}",
    f"no-documentation-link {UI}",
)
# -- audiences and datasets ------------------------------------------------------------------------------------------
warned("no schema", MESSAGES, {SCHEMA: ABSENT}, f"no-schema {SCHEMA}")
refused("no audiences", MESSAGES, {f"{SCHEMA}/segmentRequired": False}, f"no-audiences {SCHEMA}/segmentRequired")
refused(
    "no audiences of accounts",
    MESSAGES,
    {"/sources": ["ACCOUNTS"], f"{SCHEMA}/segmentRequired": False},
    f"no-audiences {SCHEMA}/segmentRequired",
)
warned(
    "audiences that are not spoken of",
    MESSAGES,
    {f"{SCHEMA}/segmentRequired": ABSENT},
    f"unsaid {SCHEMA}/segmentRequired",
)
warned(
    "identities that are not spoken of",
    MESSAGES,
    {f"{SCHEMA}/identityRequired": ABSENT},
    f"unsaid {SCHEMA}/identityRequired",
)
right("no identities", MESSAGES, {f"{SCHEMA}/identityRequired": False})
right("datasets", DATASETS, {})
for name in ("profileRequired", "segmentRequired", "identityRequired"):
    refused(f"datasets with {name}", DATASETS, {f"{SCHEMA}/{name}": True}, f"datasets-have-no-mapping {SCHEMA}/{name}")
# -- attributes ------------------------------------------------------------------------------------------------------
refused(
    "attributes that are listed and fetched",
    MESSAGES,
    {f"{SCHEMA}/dynamicSchemaConfig/dynamicEnum": DYNAMIC},
    f"two-schemas {SCHEMA}/dynamicSchemaConfig",
)
right(
    "attributes that are fetched",
    MESSAGES,
    {f"{SCHEMA}/profileFields": ABSENT, f"{SCHEMA}/dynamicSchemaConfig/dynamicEnum": DYNAMIC},
)
warned(
    "attributes that are listed and named by operators",
    MESSAGES,
    {f"{SCHEMA}/useCustomerSchemaForAttributeMapping": True},
    f"has-no-effect {SCHEMA}/profileFields",
)
right(
    "attributes that operators name",
    MESSAGES,
    {f"{SCHEMA}/profileFields": ABSENT, f"{SCHEMA}/useCustomerSchemaForAttributeMapping": True},
)
for name in DYNAMIC:
    without = {key: value for key, value in DYNAMIC.items() if key != name}
    refused(
        f"a fetched schema without {name}",
        FILES,
        {f"{SCHEMA}/dynamicSchemaConfig/dynamicEnum": without},
        f"missing-field {SCHEMA}/dynamicSchemaConfig/dynamicEnum/{name}",
    )
refused(
    "a fetched schema of another form",
    FILES,
    {f"{SCHEMA}/dynamicSchemaConfig/dynamicEnum": DYNAMIC | {"responseFormat": "NAME_VALUE"}},
    f"not-allowed {SCHEMA}/dynamicSchemaConfig/dynamicEnum/responseFormat",
)
refused(
    "an attribute twice",
    MESSAGES,
    {f"{SCHEMA}/profileFields/-": {"name": "given", "type": "string"}},
    f"named-twice {SCHEMA}/profileFields/1/name",
)
refused(
    "an attribute of no type",
    MESSAGES,
    {f"{SCHEMA}/profileFields/0/type": ABSENT},
    f"missing-field {SCHEMA}/profileFields/0/type",
)
refused(
    "an attribute of another type",
    MESSAGES,
    {f"{SCHEMA}/profileFields/0/type": "date"},
    f"not-allowed {SCHEMA}/profileFields/0/type",
)
# -- origins ---------------------------------------------------------------------------------------------------------
refused(
    "origins allowed and denied",
    MESSAGES,
    {f"{SCHEMA}/segmentNamespaceAllowList": ["a"], f"{SCHEMA}/segmentNamespaceDenyList": ["b"]},
    f"lists-exclude {SCHEMA}/segmentNamespaceDenyList",
)
refused(
    "origins allowed and denied under the old name",
    MESSAGES,
    {
        f"{SCHEMA}/segmentNamespaceAllowList": ["a"],
        f"{SCHEMA}/segmentNamespaceDenyList": ABSENT,
        f"{SCHEMA}/segmentNamespaceDenied": ["b"],
    },
    f"lists-exclude {SCHEMA}/segmentNamespaceDenied",
    f"? old-name {SCHEMA}/segmentNamespaceDenied",
)
right("origins allowed and none denied", MESSAGES, {f"{SCHEMA}/segmentNamespaceAllowList": ["a"]})
right("no word of origins", MESSAGES, {f"{SCHEMA}/segmentNamespaceDenyList": ABSENT})
# -- required mappings -------------------------------------------------------------------------------------------------
refused("a row with a source alone", FILES, {f"{ROWS}/1/destination": ABSENT}, f"missing-field {ROWS}/1/destination")
refused("a source without a type", FILES, {f"{ROWS}/1/sourceType": ABSENT}, f"missing-field {ROWS}/1/sourceType")
refused(
    "a type of source that is none", FILES, {f"{ROWS}/1/sourceType": "text/html"}, f"not-allowed {ROWS}/1/sourceType"
)
warned("a type without a source", FILES, {f"{ROWS}/1/source": ABSENT}, f"has-no-effect {ROWS}/1/sourceType")
refused("a macro that is none", FILES, {f"{ROWS}/1/source": "metadata.segment.name"}, f"not-a-macro {ROWS}/1/source")
right(
    "an expression",
    FILES,
    {f"{ROWS}/1": {"sourceType": "text/x.aep-xl", "source": 'iif(a, "1", "0")', "destination": "x"}},
)
refused(
    "nothing but required rows, and none",
    FILES,
    {f"{SCHEMA}/requiredMappingsOnly": True, ROWS: []},
    f"nothing-to-map {SCHEMA}/requiredMappingsOnly",
)
right("nothing but required rows", FILES, {f"{SCHEMA}/requiredMappingsOnly": True})


def keys(*targets):
    return {ROWS: [{"destination": target, "primaryKeyRequired": True} for target in targets]}


right("a key of one identity", FILES, keys("identityMap.A"))
right("a key of one attribute", FILES, keys("a"))
right("a key of two attributes", FILES, keys("a", "b"))
for id_, made in (
    ("three attributes", keys("a", "b", "c")),
    ("two identities", keys("identityMap.A", "identityMap.B")),
    ("an identity and an attribute", keys("identityMap.A", "a")),
):
    refused(f"a key of {id_}", FILES, made, f"wrong-key {ROWS}/{len(made[ROWS]) - 1}/primaryKeyRequired")
warned(
    "flags of files on messages",
    MESSAGES,
    {ROWS: [{"destination": "given", "mandatoryRequired": True, "primaryKeyRequired": True}]},
    f"files-only {ROWS}/0/mandatoryRequired",
    f"files-only {ROWS}/0/primaryKeyRequired",
)
right("required rows on messages", MESSAGES, {ROWS: [{"destination": "given"}]})
# -- identities ------------------------------------------------------------------------------------------------------
ID = "/identityNamespaces/harbor_id"
refused(
    "a transformation that is none", MESSAGES, {f"{ID}/transformation": "md5($)"}, f"not-allowed {ID}/transformation"
)
refused(
    "a required transformation that is none",
    MESSAGES,
    {f"{ID}/acceptedGlobalNamespaces": {"Email": {"requiredTransformation": "sha256($)"}}},
    f"not-allowed {ID}/acceptedGlobalNamespaces/Email/requiredTransformation",
)
right("the transformation there is", MESSAGES, {f"{ID}/transformation": "sha256(lower($))"})
refused("an identity that takes nothing", MESSAGES, {ID: {}}, f"accepts-nothing {ID}")
refused(
    "an identity that takes nothing, at length",
    MESSAGES,
    {ID: {"acceptsAttributes": False, "acceptsCustomNamespaces": False, "acceptedGlobalNamespaces": {}}},
    f"accepts-nothing {ID}",
)
right("an identity that takes one namespace", MESSAGES, {ID: {"acceptedGlobalNamespaces": {"ECID": {}}}})
right("no identities of files", FILES, {})
