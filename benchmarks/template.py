"""
Rendering speed of the template language, beside Jinja2 and minijinja in the same run.

    python benchmarks/template.py [--rounds 15]

One message of 100 profiles (3 identities, 4 attributes and 5 audiences each) is rendered by every engine from the same
data with HTML escaping on; the outputs must be identical. Figures are profiles per second of CPU time, the best of all
rounds, for the machine's noise only ever slows a round down.
"""

import argparse
import time
from collections.abc import Callable

import jinja2
import minijinja

from headrace import template

PROFILES = 100
REPEATS = 4

OURS = """{"users":[{% for p in input.profiles %}{"ids":{ \
{%- for e in p.identityMap %}"{{ e.key }}":[{% for i in e.value %}"{{ i.id }}"{% if not loop.last %},{% endif %}\
{% endfor %}]{% if not loop.last %},{% endif %}{% endfor -%} },"attributes":{ \
{%- for a in p.attributes %}"{{ a.key }}":{% if a.value is empty %}null{% else %}"{{ a.value.value }}"{% endif %}\
{% if not loop.last %},{% endif %}{% endfor -%} },"audiences":[\
{% for s in p.segmentMembership.ups %}{"id":"{{ destination.namespaceSegmentAliases["ups"][s.key] }}",\
"action":"{% if s.value.status == "realized" %}add{% else %}remove{% endif %}"}{% if not loop.last %},{% endif %}\
{% endfor %}]}{% if not loop.last %},{% endif %}{% endfor %}]}"""

JINJA = """{"users":[{% for p in input.profiles %}{"ids":{ \
{%- for k, ids in p.identityMap.items() %}"{{ k }}":[{% for i in ids %}"{{ i.id }}"{% if not loop.last %},{% endif %}\
{% endfor %}]{% if not loop.last %},{% endif %}{% endfor -%} },"attributes":{ \
{%- for k, v in p.attributes.items() %}"{{ k }}":{% if not v %}null{% else %}"{{ v.value }}"{% endif %}\
{% if not loop.last %},{% endif %}{% endfor -%} },"audiences":[\
{% for k, v in p.segmentMembership.ups.items() %}{"id":"{{ destination.namespaceSegmentAliases["ups"][k] }}",\
"action":"{% if v.status == "realized" %}add{% else %}remove{% endif %}"}{% if not loop.last %},{% endif %}\
{% endfor %}]}{% if not loop.last %},{% endif %}{% endfor %}]}"""


def profile(number: int) -> dict[str, object]:
    """A profile of ordinary size; one value in four needs escaping."""
    return {
        "identityMap": {
            "email": [{"id": f"person.{number}@example.com"}],
            "phone": [{"id": f"+3519{number:08d}"}],
            "crm": [{"id": f"C-{number * 7919}"}],
        },
        "attributes": {
            "firstName": {"value": f"Ana-{number}"},
            "company": {"value": f"Silva & Sons {number}"},
            "tier": {} if number % 2 else {"value": "gold"},
            "points": {"value": str(number * 17)},
        },
        "segmentMembership": {
            "ups": {
                f"audience-{audience}": {
                    "lastQualificationTime": "2024-03-01T10:00:00.000+0000",
                    "status": "realized" if (audience + number) % 3 else "exited",
                }
                for audience in range(5)
            }
        },
    }


def context() -> dict[str, object]:
    """The data of one message."""
    return {
        "input": {"profiles": [profile(number) for number in range(PROFILES)]},
        "destination": {"namespaceSegmentAliases": {"ups": {f"audience-{n}": f"Alias {n}" for n in range(5)}}},
    }


def engines(data: dict[str, object]) -> dict[str, Callable[[], str]]:
    """Every engine with its template compiled."""
    jinja = jinja2.Environment(autoescape=True).from_string(JINJA)
    mini = minijinja.Environment(templates={"message.html": JINJA})
    ours = template.compile(OURS)
    return {
        "headrace": lambda: ours.render(data),
        "minijinja": lambda: mini.render_template("message.html", **data),
        "jinja2": lambda: jinja.render(data),
    }


def profiles_a_second(render: Callable[[], str]) -> float:
    """One round: profiles for each second of CPU time."""
    start = time.process_time()
    for _ in range(REPEATS):
        render()
    return REPEATS * PROFILES / (time.process_time() - start)


def main() -> None:
    """Measure all engines in turn, round by round, and print the ratios."""
    arguments = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    arguments.add_argument("--rounds", type=int, default=15)
    rounds = arguments.parse_args().rounds
    candidates = engines(context())
    outputs = {render() for render in candidates.values()}
    if len(outputs) != 1:
        raise SystemExit("the engines do not agree on the output")
    best = dict.fromkeys(candidates, 0.0)
    for _ in range(rounds):
        for name, render in candidates.items():
            best[name] = max(best[name], profiles_a_second(render))
    print(f"one message of {PROFILES} profiles, {len(outputs.pop()):,} characters, HTML escaping on")
    for name, speed in best.items():
        print(f"{name:10} {speed:10,.0f} profiles/CPU s   headrace is {best['headrace'] / speed:.2f} times as fast")


if __name__ == "__main__":
    main()
