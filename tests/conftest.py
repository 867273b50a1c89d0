"""What holds for all tests."""

from hypothesis import settings

# A busy machine is no finding: what has to be quick is measured in benchmarks/.
settings.register_profile("headrace", deadline=None)
settings.load_profile("headrace")
