"""Prints the output that a notebook shows: ``python -m examples.ecosystem.notebook``.

The cells run in IPython, which asks each value for its rich representation, as Jupyter does.
"""

import dagrpc

dagrpc.install_as_distributed()

from IPython.core.interactiveshell import InteractiveShell  # noqa: E402
from IPython.utils.capture import capture_output  # noqa: E402

CELLS = (
    "from dask.distributed import Client, LocalCluster, progress",
    "cluster = LocalCluster(n_workers=2, threads_per_worker=1); cluster",
    "client = Client(cluster); client",
    "future = client.submit(sum, [1, 2]); future.result(); future",
    "import dask.array as da; x = da.ones((100, 100), chunks=50).persist(); x",
    "bars = progress(client.map(str, range(100)), notebook=True); client.gather(client.map(str, range(100))); bars",
    "cluster.get_logs()",
    "client.scheduler_info()",
    "client.who_has()",
    "client.close(); cluster.close()",
)


def main() -> int:
    """Run the cells, and count the outputs that are HTML or widgets."""
    shell = InteractiveShell.instance()
    rich = 0
    for cell in CELLS:
        with capture_output() as captured:
            outcome = shell.run_cell(cell)
            outcome.raise_error()
            # Values that display themselves are among the outputs, the others are formatted.
            shown = [output.data for output in captured.outputs]
            if not shown and outcome.result is not None and shell.display_formatter is not None:
                shown = [shell.display_formatter.format(outcome.result)[0]]
        for formats in shown:
            kinds = {"text/html", "application/vnd.jupyter.widget-view+json"} & set(formats)
            rich += bool(kinds)
            print(f"{cell[-40:]:<40} -> {', '.join(sorted(kinds)) or 'text'}")
    print(f"{rich} rich displays")
    return rich


if __name__ == "__main__":
    main()
