"""Section 5 of the API: primitives that are created or unpickled without a client."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import Any

import pytest

# What makes use of each kind.
USES = {"Event": "set", "Lock": "acquire", "Queue": "qsize", "Semaphore": "acquire", "Variable": "get"}

ELSEWHERE = """
import pickle, sys

made = pickle.loads(bytes.fromhex(sys.argv[1]))
assert made.name == sys.argv[2], made.name
assert getattr(made, "client", None) is None, made.client
try:
    getattr(made, sys.argv[3])()
except RuntimeError:
    print("refused")
"""


@pytest.mark.parametrize("kind", USES)
def test_unpickled_where_there_is_no_client(client: Any, lib: Any, kind: str) -> None:
    made = getattr(lib, kind)(name=f"parity-unbound-{kind}")
    command = [sys.executable, "-c", ELSEWHERE, pickle.dumps(made).hex(), made.name, USES[kind]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.returncode) == ("refused\n", 0), done.stderr


def test_locks_and_semaphores_have_ids(client: Any, lib: Any) -> None:
    made = [lib.Lock("parity-ids"), lib.Lock("parity-ids"), lib.Semaphore(2, "parity-ids-2"), lib.Semaphore(2)]
    assert len({each.id for each in made}) == 4
    assert all(isinstance(each.id, str) for each in made)
