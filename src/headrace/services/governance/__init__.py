"""Data governance: the labels that data carries, what may be done with it, and where that is held against dataflows."""
