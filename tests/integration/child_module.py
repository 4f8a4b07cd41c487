"""The child process of test_child.py: reports its settings to the parent, then waits until the parent is gone."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from dagrpc._process.child import Parent

if __name__ == "__main__":
    parent = Parent.connect()
    gone = threading.Event()
    parent.watch(gone.set)
    parent.report({"pid": os.getpid(), "echo": parent.settings["say"]})
    if gone.wait(60):
        Path(parent.settings["witness"]).write_text("the parent is gone")
