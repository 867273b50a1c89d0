"""What operators are asked for: rules 52 to 64."""

from rules.case import ABSENT, FILES, MESSAGES, Table

TABLE = Table()
FIELDS = "/customerDataFields"
FIELD = f"{FIELDS}/0"
DYNAMIC = {
    "destinationServerId": "s-3",
    "authenticationRule": "CUSTOMER_AUTHENTICATION",
    "value": "$.list",
    "responseFormat": "NAME_VALUE",
}


def refused(id_, changes, *problems, base=MESSAGES):
    TABLE.refused(id_, base, changes, *problems)


def warned(id_, changes, *problems, base=MESSAGES):
    TABLE.warned(id_, base, changes, *problems)


def right(id_, changes, base=MESSAGES):
    TABLE.right(id_, base, changes)


def field(**says):
    return {FIELD: {"name": "a", "type": "string", **says}}


def group(*fields, **says):
    return {"name": "g", "type": "object", "properties": list(fields), **says}


def fields(*items):
    return {FIELDS: list(items)}


def a_field(name, **says):
    return {"name": name, "type": "string", **says}


def shown_by(field, value="x"):
    return {"conditional": {"field": field, "operator": "EQUALS", "value": value}}


# -- name and type -------------------------------------------------------------------------------------------------
refused("no name", {FIELD: {"type": "string"}}, f"missing-field {FIELD}/name")
refused("no type", {FIELD: {"name": "a"}}, f"missing-field {FIELD}/type")
refused("a type that is none", field(type="boolean"), f"not-allowed {FIELD}/type")
right("a name with a hyphen", field(name="berth-number"))
refused("a name twice", fields(a_field("a"), a_field("b"), a_field("a")), f"named-twice {FIELDS}/2/name")
refused("a name twice in a group", fields(group(a_field("a"), a_field("a"))), f"named-twice {FIELD}/properties/1/name")
right("a name once in each group", fields(a_field("a"), group(a_field("a"))))
for name in ("name", "Description"):
    warned(f"the automatic {name}", field(name=name), f"asked-already {FIELD}/name")
right("a name inside of a group", fields(group(a_field("name"))))
# -- groups --------------------------------------------------------------------------------------------------------
refused("a group without fields", field(type="object"), f"empty-group {FIELD}/properties")
refused("a group of nothing", fields(group()), f"empty-group {FIELD}/properties")
refused("fields in no group", field(properties=[a_field("b")]), f"not-a-group {FIELD}/properties")
right("a group in a group", fields(group(group(a_field("a"), name="h"))))
refused("a unique group", fields(group(a_field("a"), unique=True)), f"unique-group {FIELD}/unique")
right("a unique field in a group", fields(group(a_field("a", unique=True))))
# -- choices -------------------------------------------------------------------------------------------------------
refused("two lists", field(enum=["a"], namedEnum=[{"name": "A", "value": "a"}]), f"several-lists {FIELD}/namedEnum")
refused("a list and a fetched one", field(enum=["a"], dynamicEnum=DYNAMIC), f"several-lists {FIELD}/dynamicEnum")
right("a fetched list", field(dynamicEnum=DYNAMIC))
refused("a list as a text", field(enum="a,b"), f"invalid {FIELD}/enum")
right("strange choices", field(enum=[",", "\t", "\0", ""], default=","))
refused("a default that is no choice", field(enum=["a", "b"], default="c"), f"default-not-offered {FIELD}/default")
refused("a default in the wrong case", field(enum=["CSV"], default="csv"), f"default-not-offered {FIELD}/default")
refused(
    "a default that is a label",
    field(namedEnum=[{"name": "Comma", "value": ","}], default="Comma"),
    f"default-not-offered {FIELD}/default",
)
right("an empty default beside choices", field(enum=["a"], default=""))
right("a default that is a choice", field(namedEnum=[{"name": "Comma", "value": ","}], default=","))
refused("a choice without a value", field(namedEnum=[{"name": "Comma"}]), f"missing-field {FIELD}/namedEnum/0/value")
for name in ("destinationServerId", "authenticationRule", "value", "responseFormat"):
    without = {key: value for key, value in DYNAMIC.items() if key != name}
    refused(f"a fetched list without {name}", field(dynamicEnum=without), f"missing-field {FIELD}/dynamicEnum/{name}")
refused(
    "a fetched list of another form",
    field(dynamicEnum=DYNAMIC | {"responseFormat": "SCHEMA"}),
    f"not-allowed {FIELD}/dynamicEnum/responseFormat",
)
refused(
    "a fetched list that needs a field that is not there",
    field(dynamicEnum=DYNAMIC | {"queryParams": ["b"]}),
    f"unknown-form-field {FIELD}/dynamicEnum/queryParams/0",
)
refused(
    "a fetched list that needs its own field",
    field(dynamicEnum=DYNAMIC | {"queryParams": ["a"]}),
    f"undecidable {FIELD}/dynamicEnum/queryParams/0",
)
right(
    "a fetched list that needs another field",
    fields(a_field("a", dynamicEnum=DYNAMIC | {"queryParams": ["b"]}), a_field("b")),
)
# -- patterns and defaults -------------------------------------------------------------------------------------------
for id_, pattern in (
    ("an open bracket", "^[a-z"),
    ("a quantifier of nothing", "*"),
    ("a name that is not there", "(?P=x)"),
    ("too long", "a" * 1001),
    ("too many repetitions", "((a{1000}){1000}){1000}"),
    ("white space that does not count", "(?x) a {5}"),
):
    refused(f"a pattern: {id_}", field(pattern=pattern), f"not-a-pattern {FIELD}/pattern")
for pattern in ("", "^[0-9]{6}$", "^(?=.*[0-9])(?!0).{8,}$", "(?<=a)b", "I AGREE", r"\p{L}+"):
    right(f"the pattern {pattern!r}", field(pattern=pattern))
warned(
    "a default that its pattern refuses",
    field(pattern="^[0-9]+$", default="abc"),
    f"default-unlike-pattern {FIELD}/default",
)
right("a default that its pattern finds", field(pattern="[0-9]", default="abc1"))
warned("a number for a text", field(default=5), f"default-of-other-type {FIELD}/default")
warned("a text for a number", field(type="integer", default="five"), f"default-of-other-type {FIELD}/default")
refused("a default that is a list", field(default=["a"]), f"invalid {FIELD}/default")
for how in ("hidden", "readOnly"):
    refused(f"required, {how} and empty", field(isRequired=True, **{how: True}), f"never-filled-in {FIELD}/isRequired")
    right(f"required, {how} and filled in", field(isRequired=True, default="a", **{how: True}))
    right(f"{how} and empty", field(**{how: True}))
warned("a secret for everybody", field(format="password", default="p"), f"secret-default {FIELD}/default")
right("a secret", field(format="password"))
refused("a format that is none", field(format="email"), f"not-allowed {FIELD}/format")
# -- conditions ------------------------------------------------------------------------------------------------------
refused(
    "a condition on what is not there",
    fields(a_field("a", **shown_by("b"))),
    f"unknown-form-field {FIELD}/conditional/field",
)
refused("a condition on itself", fields(a_field("a", **shown_by("a"))), f"undecidable {FIELD}/conditional/field")
refused(
    "conditions in a circle",
    fields(a_field("a", **shown_by("b")), a_field("b", **shown_by("c")), a_field("c", **shown_by("a"))),
    *(f"undecidable {FIELDS}/{place}/conditional/field" for place in range(3)),
)
refused(
    "a condition on a field inside of the group",
    fields(group(a_field("a"), **shown_by("a"))),
    f"unknown-form-field {FIELD}/conditional/field",
)
right("a condition on a field beside the group", fields(a_field("a"), group(a_field("b", **shown_by("a")))))
right("a condition on a field of the group", fields(group(a_field("a"), a_field("b", **shown_by("a")))))
refused(
    "a condition on another value",
    {f"{FIELDS}/2/conditional/value": "CSV"},
    f"undecidable {FIELDS}/2/conditional/value",
    base=FILES,
)
refused(
    "a condition of another kind",
    {f"{FIELDS}/2/conditional/operator": "NOT_EQUALS"},
    f"not-allowed {FIELDS}/2/conditional/operator",
    base=FILES,
)
for name in ("field", "operator", "value"):
    refused(
        f"a condition without {name}",
        {f"{FIELDS}/2/conditional/{name}": ABSENT},
        f"missing-field {FIELDS}/2/conditional/{name}",
        base=FILES,
    )
right("a condition on one of the choices", {f"{FIELDS}/2/conditional/value": "json"}, base=FILES)
# -- whose credentials choices and schemas are fetched with --------------------------------------------------------
PLATFORM = {**DYNAMIC, "authenticationRule": "PLATFORM_AUTHENTICATION"}
FETCHED_SCHEMA = {"dynamicEnum": {**PLATFORM, "value": "Contact", "responseFormat": "SCHEMA"}}
refused(
    "choices fetched with credentials of nobody",
    field(dynamicEnum=PLATFORM),
    f"lookup-rule {FIELD}/dynamicEnum/authenticationRule",
)
refused(
    "choices in a group fetched with credentials of nobody",
    fields(group(a_field("a", dynamicEnum=PLATFORM))),
    f"lookup-rule {FIELD}/properties/0/dynamicEnum/authenticationRule",
)
refused(
    "a schema fetched with credentials of nobody",
    {"/schemaConfig/profileFields": ABSENT, "/schemaConfig/dynamicSchemaConfig": FETCHED_SCHEMA},
    "lookup-rule /schemaConfig/dynamicSchemaConfig/dynamicEnum/authenticationRule",
)
right("choices that anybody may fetch", field(dynamicEnum={**DYNAMIC, "authenticationRule": "NONE"}))
