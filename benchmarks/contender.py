"""Runs workloads with one library, in the environment that has it. Started by run.py.

Prints one JSON object a line: first the versions, then each figure as it is measured, then what failed.
"""

import argparse
import importlib
import importlib.metadata
import json
import logging
import platform
import sys
import traceback
from typing import Any

from benchmarks.measure import Bench, Sample
from benchmarks.workloads import BY_NAME, inc

PACKAGES = {
    "dagrpc": ("dagrpc", "grpcio", "protobuf", "dask", "numpy"),
    "distributed": ("distributed", "tornado", "msgpack", "dask", "numpy"),
}
CLUSTER_SIZE = {"n_workers": 2, "threads_per_worker": 1}


def say(**what: Any) -> None:
    """Send a line to run.py."""
    print(json.dumps(what), flush=True)


def start_cluster(library: Any, *, separate_scheduler: bool = False) -> Any:
    """Start two workers with one thread each, all in processes of their own.

    dagrpc's local cluster has its scheduler in a process of its own anyway; distributed's has it in the client's,
    unless it is asked for this other kind.
    """
    if library.__name__ == "distributed":
        kind = library.SubprocessCluster if separate_scheduler else library.LocalCluster
        # A free port: that of the dashboard may be taken by the contender before.
        return kind(**CLUSTER_SIZE, dashboard_address=":0")
    return library.LocalCluster(**CLUSTER_SIZE)


def run_workloads(bench: Bench, names: list[str]) -> bool:
    """Run workloads one after the other; a failure does not keep later workloads from running."""
    succeeded = True
    for name in names:
        workload = BY_NAME[name]
        try:
            if not workload.own_cluster and bench.client is None:
                bench.cluster = start_cluster(bench.library)
                bench.client = bench.library.Client(bench.cluster)
                bench.client.wait_for_workers(CLUSTER_SIZE["n_workers"], timeout=60)
                # Connections and duration estimates exist before the first measurement.
                bench.client.gather(bench.client.map(inc, bench.fresh(200)))
            workload.run(bench)
            if bench.client is not None:
                bench.drain()
        except Exception as error:
            traceback.print_exc()
            say(workload=name, error=f"{type(error).__name__}: {error}"[:500])
            succeeded = False
    return succeeded


def main() -> int:
    """Run the workloads that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--library", choices=sorted(PACKAGES), required=True)
    parser.add_argument("--divisor", type=int, default=1)
    parser.add_argument("workloads", nargs="+", choices=sorted(BY_NAME))
    options = parser.parse_args()
    # Warnings about slow event loops are expected during benchmarks.
    logging.disable(logging.WARNING)

    library = importlib.import_module(options.library)
    versions = {name: importlib.metadata.version(name) for name in PACKAGES[options.library]}
    say(versions={"Python": platform.python_version(), **versions})

    def emit(sample: Sample) -> None:
        say(sample=sample.as_json())

    bench = Bench(library, lambda: start_cluster(library, separate_scheduler=True), emit, options.divisor)
    succeeded = run_workloads(bench, options.workloads)
    if bench.client is not None:
        bench.client.close()
        bench.cluster.close()
    return 0 if succeeded else 1


if __name__ == "__main__":
    sys.exit(main())
