"""The REST API: HTTP turned into one call of a service, and its answer back."""
