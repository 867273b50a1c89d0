"""
Speed of the template language, beside Jinja2 and minijinja in the same run.

    python benchmarks/template.py [--rounds 15]

A message of one profile and one of 100 (3 identities, 4 attributes and 5 audiences each) are rendered by every engine
from the same data with HTML escaping on; the outputs must be identical. Figures are for a second of CPU time, the best
of all rounds, for the machine's noise only ever slows a round down. Then: what compiling costs, what finding a compiled
template again costs, and what the charges for steps and bytes cost, by rendering with the same function without them.
"""

import argparse
import re
import time
from collections.abc import Callable

import jinja2
import minijinja

from headrace import template
from headrace.template import engine
from headrace.template.compiler import Compiled, Compiler
from headrace.template.limits import DEFAULT_LIMITS
from headrace.template.parser import parse
from headrace.template.source import Source

SIZES = (1, 100)
PROFILES_OF_A_ROUND = 400
FLOORS = {"jinja2": 5.0, "minijinja": 1.5}
GOALS = {"minijinja": 2.0}
GOAL_AGGREGATED = 64_000
COMPILED_OF_A_ROUND = 20
FOUND_OF_A_ROUND = 20_000

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


def context(profiles: int) -> dict[str, object]:
    """The data of one message."""
    return {
        "input": {"profiles": [profile(number) for number in range(profiles)]},
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


def best_of(rounds: int, tasks: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """The shortest CPU time of each task, in seconds, the tasks in turn in every round."""
    best = dict.fromkeys(tasks, float("inf"))
    for _ in range(rounds):
        for name, task in tasks.items():
            start = time.process_time()
            for _ in range(repeats):
                task()
            best[name] = min(best[name], (time.process_time() - start) / repeats)
    return best


def compare(profiles: int, rounds: int) -> None:
    """All engines with a message of so many profiles."""
    candidates = engines(context(profiles))
    outputs = {render() for render in candidates.values()}
    if len(outputs) != 1:
        raise SystemExit("the engines do not agree on the output")
    best = best_of(rounds, candidates, max(1, PROFILES_OF_A_ROUND // profiles))
    what = "1 profile" if profiles == 1 else f"{profiles} profiles"
    print(f"one message of {what}, {len(outputs.pop()):,} characters, HTML escaping on")
    for name, seconds in best.items():
        goal = f" (goal {GOAL_AGGREGATED:,})" if name == "headrace" and profiles > 1 else ""
        print(f"  {name:10} {profiles / seconds:9,.0f} profiles/CPU s{goal}{beside(name, seconds / best['headrace'])}")


def beside(name: str, ratio: float) -> str:
    """How many times as fast we are, and how many times it has to be."""
    if name not in FLOORS:
        return ""
    goal = f", goal {GOALS[name]}" if name in GOALS else ""
    verdict = "" if ratio >= FLOORS[name] else "  BELOW THE FLOOR"
    return f"   headrace is {ratio:.2f} times as fast (floor {FLOORS[name]}{goal}){verdict}"


def compiled_again() -> template.Template:
    """Compile, past the cache."""
    engine._compiled.cache_clear()
    return template.compile(OURS)


def without_charges(compiled: Compiled) -> Compiled:
    """The same function, which counts neither steps nor bytes."""
    source = re.sub(r"; m\.steps -= .*", "", compiled.source)
    source = re.sub(r"used \+= len\(piece\); |; used \+= \d+", "", source)
    source = re.sub(r"if (m\.steps < 0|used > \d+): m\.\w+\(\)", "pass", source)
    return Compiled(source, compiled.offsets, compiled.reads)


def metering(profiles: int, rounds: int) -> float:
    """How many times as long rendering takes with charges."""
    source = Source(OURS, "message")
    metered = Compiler(parse(source, DEFAULT_LIMITS), DEFAULT_LIMITS).compile()
    data = context(profiles)
    charged = template.Template(source, metered, "html", DEFAULT_LIMITS)
    free = template.Template(source, without_charges(metered), "html", DEFAULT_LIMITS)
    if charged.render(data) != free.render(data):
        raise SystemExit("the charges change the output")
    tasks = {"charged": lambda: charged.render(data), "free": lambda: free.render(data)}
    best = best_of(rounds, tasks, max(1, PROFILES_OF_A_ROUND // profiles))
    return best["charged"] / best["free"]


def main() -> None:
    """Measure everything in turn, round by round, and print the ratios."""
    arguments = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    arguments.add_argument("--rounds", type=int, default=15)
    rounds = arguments.parse_args().rounds
    for profiles in SIZES:
        compare(profiles, rounds)
    compiling = best_of(rounds, {"compile": compiled_again}, COMPILED_OF_A_ROUND)["compile"]
    finding = best_of(rounds, {"find": lambda: template.compile(OURS)}, FOUND_OF_A_ROUND)["find"]
    print(
        f"compiling that template of {len(OURS):,} characters: {compiling * 1000:.2f} ms; again: {finding * 1e6:.2f} us"
    )
    ratios = ", ".join(f"{metering(profiles, rounds):.3f} with {profiles}" for profiles in SIZES)
    print(f"rendering with charges takes so many times as long as without: {ratios}")


if __name__ == "__main__":
    main()
