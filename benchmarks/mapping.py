"""
What mapping one person costs, in microseconds of CPU time.

    python benchmarks/mapping.py [--rounds 15]

The plain mapping copies six attributes and three identities, and hashes one address: what nearly every dataflow does.
Then each kind of row by itself: a path, calculated fields from small to large, a hashed address, a hashed telephone
number. Figures are the best of all rounds, for the machine's noise only ever slows a round down.
"""

import argparse
import time
from collections.abc import Callable

from headrace.mapping import AttributeRow, IdentityRow, Mapping
from headrace.mapping.calculated import calculation

PEOPLE = 2_000
HASH = "sha256(lower($))"
PERSON = {
    "person": {"name": {"firstName": "Ana", "lastName": "Silva"}},
    "homeAddress": {"city": "Lisbon", "country": "PT"},
    "loyalty": {"tier": "gold", "points": 120},
    "organizations": [{"name": name, "founded": 1990 + place} for place, name in enumerate(("acme", "energy", "star"))],
    "identityMap": {
        "Email": [{"id": "ana@example.com"}, {"id": "a.silva@example.com"}],
        "Phone": [{"id": "+1 202 555 0123"}],
        "crmId": [{"id": "C-77"}],
    },
}
PATHS = ("person.name.firstName", "person.name.lastName", "homeAddress.city", "loyalty.tier", "loyalty.points", "gone")
PLAIN = Mapping(
    tuple(AttributeRow(path, f"t{place}") for place, path in enumerate(PATHS)),
    (IdentityRow("crmId", "customer"), IdentityRow("Phone", "phone"), IdentityRow("Email", "mail", False, HASH)),
    namespaces=("customer", "mail", "phone"),
)
FIELDS = {
    "a name": "loyalty.tier",
    "a function": "ucase(loyalty.tier)",
    "a choice": "iif(loyalty.points > 100, concat(person.name.firstName, ' ', person.name.lastName), 'none')",
    "a list": "array_to_string('_', transformArray(organizations, o -> ucase(o.name)))",
    "a date": "format(date('2019-10-23 11:24'), 'yyyy-MM-dd HH:mm')",
}


def main() -> None:
    """Measure, and print a line for each kind."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    print(f"plain mapping, attributes and identities {best(rounds, whole(PLAIN)):8.2f} us")
    print(f"plain mapping, whether anything differs  {best(rounds, differs(PLAIN)):8.2f} us")
    for name, text in FIELDS.items():
        print(f"calculated field: {name:<22} {best(rounds, computed(text)):8.2f} us")
    for name, source in (("address", "Email"), ("telephone number", "Phone")):
        mapping = Mapping((), (IdentityRow(source, source.lower(), transformation=HASH),))
        print(f"hashed {name:<33} {best(rounds, whole(mapping)):8.2f} us")


def whole(mapping: Mapping) -> Callable[[], object]:
    """Map a person."""
    return lambda: (mapping.attributes(PERSON), mapping.identities(PERSON))


def differs(mapping: Mapping) -> Callable[[], object]:
    """Compare two states of a person."""
    return lambda: mapping.differs(PERSON, PERSON)


def computed(text: str) -> Callable[[], object]:
    """Compute a field."""
    value = calculation(text).value
    return lambda: value(PERSON)


def best(rounds: int, step: Callable[[], object]) -> float:
    """Return the microseconds of one step, of the best round."""
    found = float("inf")
    for _ in range(rounds):
        started = time.process_time()
        for _ in range(PEOPLE):
            step()
        found = min(found, (time.process_time() - started) / PEOPLE * 1e6)
    return found


if __name__ == "__main__":
    main()
