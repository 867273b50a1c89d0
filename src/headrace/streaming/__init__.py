"""Membership changes as messages, the moment they happen. ``pipeline.py`` is the file to read first."""
