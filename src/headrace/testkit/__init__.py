"""The fakes and standard data that we ship, so that a destination can be tested without its partner."""
