"""dask's collections on a cluster: ``python -m examples.ecosystem.frames_and_arrays``.

Merges, groups and shuffles data frames, rechunks arrays and looks over the edges of their chunks.
"""

import dagrpc

dagrpc.install_as_distributed()

import dask.array as da  # noqa: E402
import dask.dataframe as dd  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from dask.distributed import Client, wait  # noqa: E402


def frames() -> None:
    """Merge, group and shuffle dataframes."""
    orders = pd.DataFrame({"customer": np.arange(5_000) % 97, "amount": np.arange(5_000) % 13})
    customers = pd.DataFrame({"customer": np.arange(97), "country": [f"country {n % 7}" for n in range(97)]})
    on_cluster = dd.from_pandas(orders, npartitions=10)
    merged = on_cluster.merge(dd.from_pandas(customers, npartitions=3), on="customer")
    totals = merged.groupby("country").amount.sum().compute().sort_index()
    expected = orders.merge(customers, on="customer").groupby("country").amount.sum()
    pd.testing.assert_series_equal(totals, expected, check_dtype=False, check_index_type=False)
    shuffled = on_cluster.shuffle("customer").map_partitions(lambda part: part.customer.nunique()).compute()
    assert shuffled.sum() == 97, "a customer's orders are in one partition"
    print(totals.to_string())


def arrays() -> None:
    """Rechunk an array, and apply a function to overlapping chunks."""
    values = np.arange(200 * 300.0).reshape(200, 300)
    rows = da.from_array(values, chunks=(20, 300)).persist()
    wait(rows)
    columns = rows.rechunk((200, 30))
    assert np.array_equal(columns.compute(), values)
    smooth = columns.map_overlap(lambda block: (block + np.roll(block, 1, 0)) / 2, depth=1, boundary="periodic")
    assert np.allclose(smooth, (values + np.roll(values, 1, 0)) / 2)
    print(f"mean {smooth.mean().compute():.1f}")


def main() -> None:
    """Run the dataframe part and the array part."""
    with Client(n_workers=2, threads_per_worker=1):
        frames()
        arrays()


if __name__ == "__main__":
    main()
