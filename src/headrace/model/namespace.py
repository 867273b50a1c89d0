"""The namespaces of identities that every sandbox has, and what may be said of others."""

from typing import Annotated, ClassVar, Final, Literal, NamedTuple

from pydantic import Field, StringConstraints

from headrace.model.block import Block

#: What kinds of identities there are, as the original names them.
IdType = Literal[
    "COOKIE",
    "CROSS_DEVICE",
    "DEVICE",
    "EMAIL",
    "MOBILE",
    "NON_PEOPLE",
    "PHONE",
    "B2B_ACCOUNT",
    "B2B_ACCOUNT_PERSON",
    "B2B_CAMPAIGN",
    "B2B_CAMPAIGN_MEMBER",
    "B2B_MARKETING_LIST",
    "B2B_MARKETING_LIST_MEMBER",
    "B2B_OPPORTUNITY",
    "B2B_OPPORTUNITY_PERSON",
]
#: What a namespace is taken for that came with a profile: an id of a person, known by it wherever they are.
UNKNOWN_TYPE: Final = "CROSS_DEVICE"
#: Custom namespaces are numbered from here; standard ones have the numbers below.
FIRST_CUSTOM: Final = 10_000_000


class Namespace(NamedTuple):
    """A namespace that every sandbox has."""

    id: int
    code: str
    name: str
    id_type: str
    description: str
    hash_function: str | None = None
    transform: str | None = None


STANDARD: Final = (
    Namespace(0, "CORE", "CORE", "COOKIE", "Cookies of the audience manager"),
    Namespace(4, "ECID", "ECID", "COOKIE", "The id of a visitor across sites and applications"),
    Namespace(6, "Email", "Email", "Email", "Addresses as people write them"),
    Namespace(7, "Phone", "Phone", "Phone", "Telephone numbers as people write them"),
    Namespace(8, "WAID", "Windows AID", "DEVICE", "Advertising ids of Windows"),
    Namespace(9, "TNTID", "TNTID", "COOKIE", "Visitors of the personalization service"),
    Namespace(11, "Email_LC_SHA256", "Emails (SHA256, lowercased)", "Email", "Addresses, lower case, trimmed, hashed",
              "SHA256", "lowercase"),
    Namespace(14, "Phone_SHA256", "Phone (SHA256)", "Phone", "Telephone numbers, digits only, hashed", "SHA256"),
    Namespace(15, "Phone_E.164", "Phone (E.164)", "Phone", "Telephone numbers with + and country"),
    Namespace(16, "Phone_SHA256_E.164", "Phone (SHA256_E.164)", "Phone", "E.164 numbers, hashed", "SHA256"),
    Namespace(411, "AdCloud", "AdCloud", "COOKIE", "Cookies of the advertising cloud"),
    Namespace(771, "Google", "Google", "COOKIE", "Google's cookies"),
    Namespace(20914, "GAID", "Google Ad ID (GAID)", "DEVICE", "Advertising ids of Android"),
    Namespace(20915, "IDFA", "Apple IDFA (ID for Advertisers)", "DEVICE", "Advertising ids of Apple's devices"),
    Namespace(10, "AAID", "AAID", "COOKIE", "Visitors of the analytics service"),
)  # fmt: skip
BY_CODE: Final = {namespace.code: namespace for namespace in STANDARD}

Words = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$", max_length=2000)]


class NamespaceDocument(Block):
    """What is said of a namespace of identities."""

    ignored: ClassVar[frozenset[str]] = frozenset(
        {
            "id",
            "namespaceType",
            "custom",
            "status",
            "createTime",
            "updateTime",
            "hashFunction",
            "transform",
            "x-headrace",
        }
    )

    code: Annotated[str, StringConstraints(pattern=r"^[^\s\x00:]{1,128}$")] = Field(
        description="The short name, as in `identityMap`: without blanks and colons."
    )
    name: Annotated[Words, StringConstraints(min_length=1)] = Field(description="What people call it.")
    id_type: IdType = Field(description="What kind of identity it is.")
    description: Words | None = Field(None, description="What it is for.")


class NamespaceOrder(Block):
    """By which namespaces people are kept who name no identity as primary; those that are not named follow by name."""

    codes: list[str] = Field(description="Codes of namespaces, the first that a person has counts.")
