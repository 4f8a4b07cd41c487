"""Workers cannot spill, since the disk is full, files are limited, or `max-spill` is reached; no result is lost."""

import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

import dask
import numpy as np
import pytest

from dagrpc import Client, LocalCluster, wait
from tests.support.waiting import eventually

MIB = 2**20
LIMIT = 300 * MIB


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 MiB."""
    path = tmp_path / "disk"
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64m", "dagrpc-test", str(path)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a file system")
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


def block(number: int) -> np.ndarray:
    # Not to be compressed.
    array = np.random.default_rng(number).integers(0, 2**62, MIB, dtype="i8")
    array[0] = number
    return array


def no_large_files(dask_worker: object) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (4 * MIB, 4 * MIB))


def fill_up(client: Client, reason: str) -> None:
    """Make more results than there is room for; see that all are there, that the worker pauses, and goes on."""
    (address,) = client.scheduler_info()["workers"]

    def status() -> str:
        return str(client.scheduler_info()["workers"][address]["status"])

    # 320 MiB, of which 60 may stay in memory and 64 go to disk, if any.
    futures = client.map(block, range(40))
    eventually(lambda: status() == "paused")
    done = [future for future in futures if future.status == "finished"]
    assert 10 < len(done) < 40
    assert [int(array[0]) for array in client.gather(done[::5])] == list(range(40))[: len(done) : 5]
    logs = " ".join(message for _, message in client.get_worker_logs()[address])
    assert reason in logs
    assert "none is lost" in logs
    # With some of it gone there is room again.
    pending = futures[len(done) :]
    del futures, done
    wait(pending[:10], timeout=60)
    assert [int(array[0]) for array in client.gather(pending[:10])] == list(range(40 - len(pending), 40))[:10]
    del pending
    eventually(lambda: status() == "running")
    assert client.submit(sum, [1, 2]).result(30) == 3


@pytest.mark.timeout(180)
def test_a_full_disk(small_disk: Path) -> None:
    with cluster_in(small_disk) as cluster, Client(cluster) as client:
        fill_up(client, "No space left on device")


@pytest.mark.timeout(180)
def test_files_may_not_be_so_large(tmp_path: Path) -> None:
    with cluster_in(tmp_path) as cluster, Client(cluster) as client:
        client.run(no_large_files)
        fill_up(client, "File too large")


@pytest.mark.timeout(180)
def test_max_spill(tmp_path: Path) -> None:
    with cluster_in(tmp_path, {"distributed.worker.memory.max-spill": "64 MiB"}) as cluster, Client(cluster) as client:
        fill_up(client, "max-spill is 67108864")
        assert not [path for path in tmp_path.rglob("storage/*") if path.stat().st_size > 64 * MIB]


def cluster_in(directory: Path, settings: dict[str, object] | None = None) -> LocalCluster:
    settings = {"distributed.worker.memory.terminate": False, **(settings or {})}
    with dask.config.set(settings):
        return LocalCluster(
            n_workers=1,
            threads_per_worker=1,
            memory_limit=LIMIT,
            memory_target_fraction=0.2,
            local_directory=str(directory),
        )
