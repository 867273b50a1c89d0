"""Audiences: who declares them, who is in them, how that is found out, and how long it lasts."""
