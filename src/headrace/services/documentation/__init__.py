"""The documentation page of a destination, made of its configuration and of what its author wrote for it."""
