"""Configuration as code: the objects of a destination as files of a folder, checked here and carried to a server."""
