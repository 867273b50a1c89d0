"""Spoiled connections: a proxy for tests, the faults that it has, and schedules of them."""

from headrace.testkit.faults.kinds import NoFault, Placed, read
from headrace.testkit.faults.proxy import FaultProxy, Switch, Way
from headrace.testkit.faults.schedule import Schedule, Step

__all__ = ["FaultProxy", "NoFault", "Placed", "Schedule", "Step", "Switch", "Way", "read"]
