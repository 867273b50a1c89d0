"""
Messages to try a template with, made to fit it.

The standard ones are few: the smallest, everything, several profiles, no identities, only exits, several namespaces of
audiences, attributes without a value, texts that break careless templates. Names that are free (attributes, namespaces)
are those that the template asks for, and what it compares them with is what they hold, so that its branches are met.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from headrace.template.dates import date
from headrace.template.limits import DEFAULT_LIMITS, Meter
from headrace.template.reading import Want
from headrace.template.values import RenderError

Data = Mapping[str, object]
Wants = Mapping[str, Mapping[str | None, Want]]

TIME = "2024-03-01T10:00:00.000+0000"
AWKWARD = 'Zoë "Zo" O\'Hara & Söhne <山田>\\\n\t😀'
MOST_VARIANTS = 8


@dataclass(frozen=True, slots=True)
class Sample:
    """A context with the name that messages call it by."""

    name: str
    data: Data


@dataclass(frozen=True, slots=True)
class _Case:
    """What is special about one sample."""

    name: str
    profiles: int = 1
    statuses: tuple[str, ...] = ("realized", "exited")
    namespaces: tuple[str, ...] = ("ups",)
    identities: int = 2
    awkward: bool = False
    bare: bool = False
    variant: int = 0


CASES = (
    _Case("the smallest", bare=True, identities=0, statuses=("realized",)),
    _Case("everything", namespaces=("ups", "CustomerAudienceUpload")),
    _Case("several profiles", profiles=3),
    _Case("no identities", identities=0),
    _Case("only exits", statuses=("exited",), identities=1),
    _Case("several audience namespaces", namespaces=("ups", "CustomerAudienceUpload", "AAM"), statuses=("realized",)),
    _Case("awkward texts", awkward=True),
)


class Samples:
    """The samples for one template, by what it wants of its data."""

    def __init__(self, wants: Wants, key_members: frozenset[str], *, one_profile: bool) -> None:
        self.wants = wants
        self.key_members = key_members
        self.one_profile = one_profile

    def all(self) -> Iterator[Sample]:
        """The standard samples, then more of ``everything`` with other values where the template compares."""
        for case in CASES:
            if case.profiles == 1 or not self.one_profile:
                yield self._sample(case)
        literals = [len(want.literals) for keys in self.wants.values() for want in keys.values()]
        for variant in range(1, min(max(literals, default=0), MOST_VARIANTS) + 1):
            yield self._sample(_Case(f"other values, {variant}", variant=variant))

    def _sample(self, case: _Case) -> Sample:
        profiles = [self._profile(case, number) for number in range(case.profiles)]
        return Sample(
            case.name,
            {
                "input": {
                    "profiles": profiles,
                    "profile": profiles[0] if len(profiles) == 1 else None,
                    "aggregationKey": self._key(case),
                },
                "destination": self._destination(case),
                "customerData": self._free("customerData", case),
                "authData": {"accessToken": "token", **self._free("authData", case)},
                "message": {"id": "0190a1b2c3d4", "attempt": 1},
            },
        )

    # Profiles -------------------------------------------------------------------------------------------------------

    def _profile(self, case: _Case, number: int) -> Data:
        return {
            "segmentMembership": self._memberships(case),
            "identityMap": self._identities(case, number),
            "attributes": self._attributes(case),
        }

    def _named(self, label: str, *standard: str) -> list[str]:
        """The keys of a table that the template asks for, by name or by comparing, then the standard ones."""
        keys = self.wants.get(label, {})
        compared = keys[None].literals if None in keys else {}
        names = [key for key in keys if key is not None] + [str(key) for key in compared]
        return list(dict.fromkeys([*names, *standard]))

    def _namespaces(self, case: _Case) -> list[str]:
        asked = [] if case.bare else self._named("namespaces")
        return list(dict.fromkeys([*case.namespaces, *asked]))

    def _audiences(self, namespace: str) -> list[str]:
        return list(dict.fromkeys([*self._named("audiences"), f"{namespace}-1", f"{namespace}-2", f"{namespace}-3"]))

    def _memberships(self, case: _Case) -> Data:
        if case.bare and not self.key_members:
            return {}
        return {
            namespace: {
                audience: {"lastQualificationTime": TIME, "status": case.statuses[index % len(case.statuses)]}
                for index, audience in enumerate(self._audiences(namespace)[: 1 if case.bare else None])
            }
            for namespace in self._namespaces(case)
        }

    def _identities(self, case: _Case, number: int) -> Data:
        names = self._named("identities", "email", "crm_id")
        return {
            name: [{"id": AWKWARD if case.awkward else f"{name}-{number}{index}"} for index in range(case.identities)]
            for name in names
            if case.identities
        }

    def _attributes(self, case: _Case) -> Data:
        wants = self.wants.get("attributes", {})
        wrapped = any(want.is_wrapped for want in wants.values())
        names = self._named("attributes", "firstName", "city")
        if case.bare:
            return {name: {} for name in names} if wrapped else {}
        values = {name: value_of(wants.get(name) or wants.get(None) or Want(), case, name) for name in names}
        return {name: {"value": value} for name, value in values.items()} if wrapped else values

    # The rest -------------------------------------------------------------------------------------------------------

    def _free(self, label: str, case: _Case) -> dict[str, object]:
        """What the operator entered: all of it in every sample, for nobody else can be asked."""
        wants = self.wants.get(label, {})
        return {name: value_of(wants.get(name) or Want(), case, name) for name in self._named(label)}

    def _key(self, case: _Case) -> Data:
        namespace = case.namespaces[0]
        whole: dict[str, object] = {
            "segmentId": self._audiences(namespace)[0],
            "segmentNamespace": namespace,
            "segmentAlias": AWKWARD if case.awkward else f"alias of {namespace}-1",
            "segmentStatus": case.statuses[0],
            "identityNamespaces": self._named("identities", "email", "crm_id"),
        }
        asked = {member: whole[member] for member in whole if member in self.key_members}
        return {"destinationInstanceId": "0e9f3f0c-7d3f-4a58-9b9c-2f4b7c1d0a55", **asked}

    def _destination(self, case: _Case) -> Data:
        ids = {namespace: self._audiences(namespace) for namespace in self._namespaces(case)}
        names = {namespace: {audience: f"name of {audience}" for audience in ids[namespace]} for namespace in ids}
        aliases = {
            namespace: {audience: AWKWARD if case.awkward else f"alias of {audience}" for audience in ids[namespace]}
            for namespace in ids
        }
        moments = ("createdAt", "updatedAt", "mappingCreatedAt", "mappingUpdatedAt")
        times = {
            namespace: {audience: dict.fromkeys(moments, 1709287200) for audience in ids[namespace]}
            for namespace in ids
        }
        return {
            "namespaceSegmentAliases": aliases,
            "namespaceSegmentNames": names,
            "namespaceSegmentTimestamps": times,
            "segmentAliases": aliases.get("ups", {}),
            "segmentNames": names.get("ups", {}),
            "segmentTimestamps": times.get("ups", {}),
            "config": self._free("customerData", case),
            "id": "0e9f3f0c-7d3f-4a58-9b9c-2f4b7c1d0a55",
            "name": "A dataflow",
            "sandboxName": "prod",
            "imsOrgId": "organization",
        }


def value_of(want: Want, case: _Case, name: str) -> object:
    """A value under a free name, of the kind that the template takes it for."""
    if want.literals and not case.awkward:
        literals = list(want.literals)
        return literals[case.variant % len(literals)]
    if want.is_number:
        return 12.5 if case.variant % 2 else 42
    if want.date_pattern is not None:
        return _moment(want.date_pattern)
    return AWKWARD if case.awkward else f"{name} {case.variant}" if case.variant else name


def _moment(pattern: str) -> object:
    """A time as text in a pattern."""
    milliseconds = int(datetime(2024, 3, 1, 10, tzinfo=UTC).timestamp()) * 1000
    try:
        return str(date(Meter(DEFAULT_LIMITS, _moment.__code__), milliseconds, *([pattern] if pattern else [])))
    except RenderError:
        return milliseconds
