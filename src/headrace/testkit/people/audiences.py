"""The audiences that made-up people are in: from one in ten thousand to four of five, nested and disjoint."""

from typing import Final, NamedTuple


class Audience(NamedTuple):
    """One of the audiences that generated people are in."""

    namespace: str
    id: str
    name: str


class Members(NamedTuple):
    """Who is in an audience: those who draw a number from ``low`` up to ``high`` out of 0 to 1, of one kind of draw."""

    draw: str
    low: float
    high: float

    @property
    def share(self) -> float:
        return self.high - self.low


_UPS: Final = "6f2b8c1e-5a47-4d0b-9c3e-0a1d2f3b4c{:02}"
_UPLOADED: Final = "c7d4e9a0-13b6-4f82-8e55-7b9a6c5d4e{:02}"


def _ours(number: int, name: str) -> Audience:
    return Audience("ups", _UPS.format(number), name)


def _uploaded(number: int, name: str) -> Audience:
    return Audience("CustomerAudienceUpload", _UPLOADED.format(number), name)


#: The audiences of people, and their members. Draws of one kind are of one person: so audiences are nested or disjoint.
OF_PEOPLE: Final = {
    _ours(1, "Loyal customers"): Members("standing", 0, 0.40),
    _ours(2, "Left a basket behind"): Members("basket", 0, 0.30),
    _ours(3, "Likely to leave"): Members("standing", 0.85, 1),
    _uploaded(1, "Newsletter readers"): Members("newsletter", 0, 0.45),
    _uploaded(2, "Invited to the autumn sale"): Members("sale", 0, 0.25),
    _ours(4, "Gold members"): Members("standing", 0, 0.04),
    _ours(5, "Guests of honour"): Members("standing", 0, 0.0001),
    _ours(6, "Agreed to e-mail"): Members("consent", 0, 0.80),
    _ours(7, "Sent a parcel back"): Members("parcel", 0, 0.01),
    _ours(8, "Test group A"): Members("group", 0, 0.05),
    _ours(9, "Test group B"): Members("group", 0.05, 0.10),
}
OF_ACCOUNTS: Final = {
    _ours(21, "Large companies"): Members("size", 0, 0.10),
    _ours(22, "Up for renewal"): Members("renewal", 0, 0.25),
}
OF_PROSPECTS: Final = {
    _ours(31, "Resembles loyal customers"): Members("likeness", 0, 0.35),
    _ours(32, "Resembles them closely"): Members("likeness", 0, 0.01),
}
AUDIENCES: Final = tuple(OF_PEOPLE)
ACCOUNT_AUDIENCES: Final = tuple(OF_ACCOUNTS)
PROSPECT_AUDIENCES: Final = tuple(OF_PROSPECTS)
