"""What holds for all tests."""

import os

from hypothesis import settings

# On a machine with much else to do an example takes as long as it takes; what hangs ends by pytest's own timeout.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

# Tests have many schedulers at once: each serves HTTP at a free port, rather than look for one from 8787 on.
os.environ.setdefault("DAGRPC_SCHEDULER__DASHBOARD__ADDRESS", ":0")
