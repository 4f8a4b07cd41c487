"""Found by every process under test through PYTHONPATH: on SIGUSR1 it writes down what its threads are doing.

It does so within the signal handler, so that it works while the interpreter is held, too.
"""

import faulthandler
import os
import signal

_directory = os.environ.get("CHAOS_STACKS")
if _directory:
    # Kept open for as long as the process lives.
    _file = open(os.path.join(_directory, f"{os.getpid()}.txt"), "w")  # noqa: SIM115
    faulthandler.register(signal.SIGUSR1, file=_file, all_threads=True)
