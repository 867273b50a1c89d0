"""The forms the store has had, one revision after the other."""
