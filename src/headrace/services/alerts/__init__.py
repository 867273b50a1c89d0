"""Alerts: found out about, raised once, told to whoever subscribed, and recovered."""
