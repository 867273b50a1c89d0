"""Durable runs: work whose steps are each done once, whoever dies in between."""
