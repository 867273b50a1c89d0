"""The landing zone: storage that the house itself has for each sandbox, and the ways into it."""
