"""Forked processes cannot use the clients of their parent, and can create clients of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

START = """
import asyncio, multiprocessing, os, sys, threading, time
from dagrpc import Client, FutureCancelledError, LocalCluster, wait
from dagrpc.exceptions import ForkedProcessError

def inc(x):
    return x + 1

def work(address, count=20):
    with Client(address, timeout="60s") as client:
        assert client.gather(client.map(inc, range(count))) == list(range(1, count + 1))
        (data,) = client.scatter([b"x" * 3_000_000])
        assert client.submit(len, data).result(timeout=60) == 3_000_000
    return count

def in_child(function, *args):
    pid = os.fork()
    if not pid:
        code = 1
        try:
            function(*args)
            code = 0
        finally:
            os._exit(code)
    return pid

def ended(*pids):
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
    assert codes == [0] * len(pids), codes

def main():
    with LocalCluster(n_workers=2, threads_per_worker=1, processes={processes}) as cluster, Client(cluster) as client:
        address = cluster.scheduler_address
        assert client.submit(inc, 1).result(timeout=60) == 2
{body}
        assert client.submit(inc, 2).result(timeout=60) == 3
    print("done")

if __name__ == "__main__":
    main()
"""

SEVERAL = "ended(*[in_child(work, address) for _ in range(4)])"

WITH_MULTIPROCESSING = """context = multiprocessing.get_context("fork")
with context.Pool(2) as pool:
    assert pool.map(work, [address] * 4) == [20] * 4"""

OF_A_CHILD = """def nested():
    work(address)
    ended(in_child(work, address))
    work(address)
ended(in_child(nested))"""

ASYNCHRONOUS = """async def awaits():
    async with Client(address, asynchronous=True) as own:
        assert await own.submit(inc, 5) == 6
ended(in_child(lambda: asyncio.run(awaits())))"""

A_CLUSTER_OF_ITS_OWN = """def own():
    with LocalCluster(n_workers=1, threads_per_worker=1) as other:
        work(other.scheduler_address)
ended(in_child(own))"""

WHILE_OTHERS_ARE_BUSY = """stop = threading.Event()
def busy():
    while not stop.is_set():
        client.gather(client.map(inc, range(200), pure=False))
threads = [threading.Thread(target=busy) for _ in range(3)]
for thread in threads:
    thread.start()
try:
    for _ in range(8):
        ended(in_child(work, address))
finally:
    stop.set()
    for thread in threads:
        thread.join()"""

WITHOUT_USING_IT = """pid = os.fork()
if not pid:
    sys.exit(0)
ended(pid)"""

THE_PARENTS = """pending = client.submit(time.sleep, 5, pure=False)
finished = client.submit(bytes, 10)
finished.result(timeout=60)
def use():
    for call in (lambda: client.submit(inc, 1), lambda: client.gather([pending]), lambda: client.who_has()):
        try:
            call()
        except ForkedProcessError as error:
            assert "of this process's own" in str(error)
        else:
            os._exit(7)
    for call in (pending.result, lambda: wait(pending)):
        try:
            call()
        except Exception as error:
            assert "Cancelled" in type(error).__name__, error
        else:
            os._exit(8)
    work(address)
ended(in_child(use))
pending.cancel()"""


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("body", "processes"),
    [
        (SEVERAL, True),
        (SEVERAL, False),
        (WITH_MULTIPROCESSING, True),
        (OF_A_CHILD, True),
        (ASYNCHRONOUS, False),
        (A_CLUSTER_OF_ITS_OWN, True),
        (WHILE_OTHERS_ARE_BUSY, True),
        (WITHOUT_USING_IT, True),
        (THE_PARENTS, True),
    ],
    ids=["several", "several-in-process", "pool", "nested", "async", "own-cluster", "busy", "unused", "parents"],
)
@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not fork by default, with good reason")
def test_a_child_has_clients_of_its_own_and_the_parent_is_unharmed(tmp_path: Path, body: str, processes: bool) -> None:
    program = tmp_path / "program.py"
    indented = "\n".join(" " * 8 + line for line in body.splitlines())
    program.write_text(START.format(body=indented, processes=processes))
    run = subprocess.run(
        [sys.executable, "-X", "faulthandler", program], capture_output=True, text=True, timeout=200, check=False
    )
    assert run.stdout == "done\n", run.stderr
    assert run.returncode == 0
