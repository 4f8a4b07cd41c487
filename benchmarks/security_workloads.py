"""Measures the cost of certificates and tokens: clusters with and without them alternate on the same work."""

import os
import statistics

from benchmarks.measure import Bench, Watch

_ROUNDS = 7


def inc(number: int) -> int:
    """Return the next number, as a trivial task."""
    return number + 1


def secured(bench: Bench) -> None:
    """One `map` of trivial tasks and its results: alternately without security, with TLS and with a token."""
    library = bench.library
    kinds = {
        "map_open": None,
        "map_tls": library.Security.temporary(),
        "map_token": library.Security(token=os.urandom(24).hex()),
    }
    clusters = {
        name: library.LocalCluster(n_workers=2, threads_per_worker=1, security=kind) for name, kind in kinds.items()
    }
    clients = {name: library.Client(cluster, set_as_default=False) for name, cluster in clusters.items()}
    watches = {name: Watch() for name in kinds}
    try:
        for client in clients.values():
            client.gather(client.map(inc, bench.fresh(2_000)))
        count = bench.size(10_000)
        names = list(kinds)
        for turn in range(_ROUNDS):
            for step in range(len(names)):
                name = names[(turn + step) % len(names)]
                numbers = bench.fresh(count)
                with watches[name]:
                    results = clients[name].gather(clients[name].map(inc, numbers))
                assert results[-1] == numbers[-1] + 1
        for name, watch in watches.items():
            bench.record(name, count / statistics.median(watch.laps), watch)
    finally:
        for client in clients.values():
            client.close()
        for cluster in clusters.values():
            cluster.close()
