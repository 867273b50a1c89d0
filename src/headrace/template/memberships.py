"""
Audience memberships: which of them are additions, which removals.

``segmentMembership`` has two levels, namespace and audience; one of its namespaces has one. Of one level the result is
a map again, of two a flat list of entries that also know their namespace.
"""

from collections.abc import Mapping

from headrace.template.limits import Meter
from headrace.template.registry import filters, functions
from headrace.template.values import Entry, RenderError, TemplateList, kind_name

ADDED = ("realized", "existing")  # the second is what older data calls a member
REMOVED = ("exited",)


@filters.register("added")
@functions.register("addedSegments", "segments")
def added(meter: Meter, memberships: object = None) -> object:
    """The memberships that hold."""
    return _with_status(meter, memberships, ADDED)


@filters.register("removed")
@functions.register("removedSegments", "segments")
def removed(meter: Meter, memberships: object = None) -> object:
    """The memberships that ended."""
    return _with_status(meter, memberships, REMOVED)


@functions.register("hasSegments", "segments")
def has_segments(_: Meter, memberships: object = None) -> bool:
    """Whether there is any audience in any namespace, whatever its status."""
    if memberships is None:
        return False
    return any(isinstance(namespace, dict) and namespace for namespace in _map(memberships).values())


def _with_status(meter: Meter, memberships: object, statuses: tuple[str, ...]) -> object:
    if memberships is None:
        return {}
    chosen = _map(memberships)
    meter.steps -= len(chosen)
    meter.work(0)
    try:
        return {key: value for key, value in chosen.items() if value["status"] in statuses}
    except (KeyError, TypeError):
        return _of_all_namespaces(meter, chosen, statuses)


def _of_all_namespaces(meter: Meter, memberships: Mapping[str, object], statuses: tuple[str, ...]) -> TemplateList:
    found = TemplateList()
    for namespace, audiences in memberships.items():
        if not isinstance(audiences, dict):
            continue
        meter.collection(len(audiences))
        for key, value in audiences.items():
            if isinstance(value, dict) and value.get("status") in statuses:
                found.append(Entry(key, value, namespace))
    return found


def _map(memberships: object) -> dict[str, dict[str, object]]:
    if isinstance(memberships, dict):
        return memberships
    raise RenderError(f"expected a map of audience memberships, not {kind_name(memberships)}")
