"""Activations by one document: found out, planned, tried on the people who are there, applied."""
