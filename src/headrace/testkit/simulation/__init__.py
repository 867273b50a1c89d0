"""
Whole histories of streaming delivery, each from one seed, and an oracle that judges them.

A history has processes that die, stop and wake up, clocks that jump, a disk that is full, a network that loses what it
is given, a partner that refuses, senders, and operators who change their minds. All of that is made up. What delivers
is the product's own code, from ingestion to the store's SQL. ``history.py`` runs one; ``world.py`` has what happens.
"""

from headrace.testkit.simulation.history import Verdict, simulate

__all__ = ["Verdict", "simulate"]
