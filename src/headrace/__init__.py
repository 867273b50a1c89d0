"""Headrace brings audiences and profiles to partners: the open, self-hosted Destination SDK."""

__version__ = "0.1.0"
