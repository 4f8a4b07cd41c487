"""Tasks that a running task submits and waits for run before tasks that were submitted together with that task."""

import time
from typing import Any

from dagrpc import Client, LocalCluster, worker_client


def leaf(number):
    return time.time()


def parent(number):
    started = time.time()
    with worker_client() as client:
        return started, client.submit(leaf, number, pure=False).result()


def parent_of_a_graph(number):
    started = time.time()
    with worker_client() as client:
        return started, max(client.gather(client.map(leaf, [number, -number], pure=False)))


def most_at_once(times):
    ends = sorted([(start, 1) for start, _ in times] + [(done, -1) for _, done in times])
    waiting = peak = 0
    for _, change in ends:
        waiting += change
        peak = max(peak, waiting)
    return peak


def test_not_all_parents_begin_before_the_first_child():
    options: dict[str, Any] = {"n_workers": 1, "threads_per_worker": 1, "processes": False, "memory_limit": 0}
    with LocalCluster(**options) as cluster, Client(cluster) as client:
        for function in (parent, parent_of_a_graph):
            peaks: list[int] = []
            # How many there are at once is for the machine to say, too: seldom, when it is busy, nearly all.
            while len(peaks) < 5 and (not peaks or peaks[-1] >= 100):
                times = client.gather(client.map(function, range(200), pure=False))
                assert min(done for _, done in times) < max(started for started, _ in times)
                peaks.append(most_at_once(times))
            # Far fewer at once than there are parents.
            assert min(peaks) < 100
