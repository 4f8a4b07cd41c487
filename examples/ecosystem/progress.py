"""tqdm on a cluster: ``python -m examples.ecosystem.progress``.

A bar for futures as they complete, and one for the tasks of a collection that is computed on this machine's threads.
"""

import dagrpc

dagrpc.install_as_distributed()

import dask.array as da  # noqa: E402
from dask.distributed import Client, as_completed  # noqa: E402
from tqdm import tqdm  # noqa: E402
from tqdm.dask import TqdmCallback  # noqa: E402


def is_prime(number: int) -> bool:
    """Return whether a number is a prime."""
    return number > 1 and all(number % divisor for divisor in range(2, int(number**0.5) + 1))


def main() -> int:
    """Count the primes below 2,000."""
    with Client(n_workers=2, threads_per_worker=1) as client:
        futures = client.map(is_prime, range(2_000))
        primes = sum(future.result() for future in tqdm(as_completed(futures), total=len(futures), desc="primes"))
    with TqdmCallback(desc="array"):
        # dask's callbacks only work with dask's local schedulers, also when distributed is in use.
        da.ones((1_000, 1_000), chunks=200).sum().compute(scheduler="threads")
    print(f"{primes} primes")
    return primes


if __name__ == "__main__":
    main()
