"""Files: what goes into one, and how it is written."""
