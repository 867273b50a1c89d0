"""Backups: everything that a store holds at one moment, in one file that any database can be filled from again."""
