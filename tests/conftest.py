"""What holds for all tests."""

from hypothesis import settings

# On a machine with much else to do an example takes as long as it takes; what hangs ends by pytest's own timeout.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
