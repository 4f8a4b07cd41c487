"""Results beyond the target go to files and come back; what cannot be written stays; nothing is lost."""

import gc
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from dagrpc._codec import payload
from dagrpc.shuffle.shuffle_tasks import Passed, Sent
from dagrpc_worker.data.memory_thresholds import MemoryLimits, make_store
from dagrpc_worker.data.result_store import DataStore
from dagrpc_worker.data.spill_files import SpillFiles
from dagrpc_worker.data.spilling_store import SpillingStore
from tests.support.waiting import eventually

SIZE = 100_000


def block(number: int) -> np.ndarray:
    return np.full(SIZE // 8, number, dtype="i8")


def store_of(path: Path, target: int = 3 * SIZE, max_spill: int = 0, compression: str | None = None) -> SpillingStore:
    return SpillingStore(SpillFiles(path / "storage", compression), target, max_spill)


def filled(store: SpillingStore, count: int = 10) -> SpillingStore:
    for number in range(count):
        if store.put(str(number), block(number), SIZE):
            store.make_room()
    return store


def files_of(path: Path) -> list[Path]:
    return list((path / "storage").glob("*")) if (path / "storage").exists() else []


def test_the_least_recently_used_go_to_private_files(tmp_path):
    store = filled(store_of(tmp_path))
    assert (len(store), store.nbytes, store.in_memory, store.spilled) == (10, 10 * SIZE, 3 * SIZE, 7 * SIZE)
    assert list(store) == [str(number) for number in range(10)]
    assert not store.needs_disk(["7", "8", "9"])
    assert store.needs_disk(["9", "0"])
    modes = {stat.S_IMODE(path.stat().st_mode) for path in files_of(tmp_path)}
    assert modes == {0o600}
    assert len(files_of(tmp_path)) == 7
    assert stat.S_IMODE((tmp_path / "storage").stat().st_mode) == 0o700


def test_spilled_values_come_back_and_can_be_written_to(tmp_path):
    store = filled(store_of(tmp_path))
    value = store["0"]
    assert (value == 0).all()
    assert value.flags.writeable
    assert store.in_memory == 3 * SIZE
    assert not store.needs_disk(["0"])
    with pytest.raises(KeyError):
        store["unknown"]


def test_a_value_read_from_disk_is_not_written_again(tmp_path):
    store = filled(store_of(tmp_path))
    written = store.statistics()["spill_written_count"]
    for number in range(7):
        assert store[str(number)][0] == number
    # 7, 8 and 9 had to go in return; the others were on disk already.
    assert store.statistics()["spill_written_count"] == written + 3


def test_reading_counts_as_use(tmp_path):
    store = filled(store_of(tmp_path), 3)
    store["0"]
    assert store.put("3", block(3), SIZE)
    store.make_room()
    assert not store.needs_disk(["0"])
    assert store.needs_disk(["1"])


def test_a_value_in_use_is_not_read_again(tmp_path):
    store = store_of(tmp_path, target=SIZE)
    value = block(1)
    store.put("a", value, SIZE)
    filled(store, 2)
    assert store.needs_disk(["a"])
    assert store["a"] is value
    assert store.statistics()["spill_read_count"] == 0


def test_dropped_values_leave_nothing_behind(tmp_path):
    store = filled(store_of(tmp_path))
    store.drop([*map(str, range(10)), "unknown"])
    assert (len(store), store.nbytes, store.in_memory, store.on_disk) == (0, 0, 0, 0)
    eventually(lambda: not files_of(tmp_path))


def test_replaced_values_are_gone_from_disk_too(tmp_path):
    store = filled(store_of(tmp_path))
    store.put("0", block(42), SIZE)
    assert store["0"][0] == 42
    eventually(lambda: len(files_of(tmp_path)) == 6)
    assert store.on_disk == sum(path.stat().st_size for path in files_of(tmp_path))


def test_compressed_where_it_is_worth_it(tmp_path):
    store = filled(store_of(tmp_path, compression="zlib"))
    assert store.on_disk < 7 * SIZE / 10
    found = store.encoded("0")
    assert found is not None
    kind, encoding, frames = found
    assert kind == "numpy.ndarray"
    assert (payload.decode(encoding, frames) == 0).all()
    assert (store["1"] == 1).all()


def test_frames_for_peers_without_decoding(tmp_path):
    store = filled(store_of(tmp_path))
    found = store.encoded("0")
    assert found is not None
    kind, encoding, frames = found
    assert kind == "numpy.ndarray"
    assert (payload.decode(encoding, frames) == 0).all()
    assert store.needs_disk(["0"])
    assert store.encoded("9") is None
    assert store.encoded("unknown") is None


class Stubborn:
    def __reduce__(self):
        raise TypeError("not me")


def test_a_value_that_cannot_be_encoded_stays(tmp_path, caplog):
    store = store_of(tmp_path)
    stubborn = [Stubborn() for _ in range(5)]
    for number, value in enumerate(stubborn):
        store.put(f"s{number}", value, SIZE)
    filled(store)
    assert [store[f"s{number}"] for number in range(5)] == stubborn
    assert sum("stays in memory" in record.message for record in caplog.records) == 1
    store.drop([f"s{number}" for number in range(5)])
    assert store.in_memory <= 3 * SIZE
    assert "s0" not in store


def test_results_of_shuffle_tasks_are_written_like_all_others(tmp_path, caplog):
    store = store_of(tmp_path)
    for result in (Sent(3, (0, 1)), Passed(3, ("a:1", "b:2"), (4, 0))):
        store.put(type(result).__name__, result, SIZE)
    filled(store)
    assert store["Sent"] == Sent(3, (0, 1))
    assert store["Passed"].parcels == (4, 0)
    assert "stays in memory" not in caplog.text


def test_max_spill(tmp_path, caplog):
    store = filled(store_of(tmp_path, max_spill=2 * SIZE + SIZE // 2))
    assert store.on_disk <= 2 * SIZE + SIZE // 2
    assert len(store) == 10
    assert "max-spill" in caplog.text
    assert [store[str(number)][0] for number in range(10)] == list(range(10))


def test_a_full_disk_loses_nothing(tmp_path, caplog, monkeypatch):
    store = store_of(tmp_path)
    monkeypatch.setattr(os, "write", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    filled(store)
    assert store.in_memory == 10 * SIZE
    assert not files_of(tmp_path)
    errors = [record.message for record in caplog.records if record.levelname == "ERROR"]
    assert len(errors) == 1
    assert "No space left on device" in errors[0]
    assert str(tmp_path) in errors[0]
    monkeypatch.undo()
    monkeypatch.setattr(store, "_retry_at", 0.0)
    store.make_room()
    assert store.in_memory == 3 * SIZE
    assert [store[str(number)][0] for number in range(10)] == list(range(10))


_LIMITED = """
import resource, signal, sys
import numpy as np
from dagrpc_worker.data.spill_files import SpillFiles
from dagrpc_worker.data.spilling_store import SpillingStore
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
store = SpillingStore(SpillFiles(sys.argv[1]), 200_000)
for number in range(5):
    if store.put(str(number), np.full(12_500, number), 100_000):
        store.make_room()
print(store.in_memory, store.on_disk, [int(store[str(number)][7]) for number in range(5)])
"""


def test_a_file_that_the_system_does_not_let_grow(tmp_path):
    command = [sys.executable, "-c", _LIMITED, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split(" ", 2) == ["500000", "0", "[0, 1, 2, 3, 4]\n"]
    assert "File too large" in done.stderr
    assert not list(tmp_path.iterdir())


def test_many_threads(tmp_path):
    """Values are put, read and dropped at once; all that is read is right, and the books are."""
    store = store_of(tmp_path, target=5 * SIZE)
    wrong: list[object] = []

    def work(first: int) -> None:
        try:
            for turn in range(40):
                number = first + turn
                if store.put(str(number), block(number), SIZE):
                    store.make_room()
                for back in range(0, min(turn, 6)):
                    if store[str(number - back)][5] != number - back:
                        wrong.append(number - back)
                if turn >= 6:
                    store.drop([str(number - 6)])
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=work, args=(1000 * n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(store) == 36
    assert store.nbytes == 36 * SIZE
    assert store.make_room() >= 0
    assert store.in_memory <= 5 * SIZE
    store.drop(list(store))
    gc.collect()
    assert (store.nbytes, store.in_memory, store.on_disk) == (0, 0, 0)
    eventually(lambda: not files_of(tmp_path))
    store.close()
    store.close()


def test_limits():
    limits = MemoryLimits.of(1_000, {"target": False, "spill": 0.7, "pause": 0})
    assert (limits.target, limits.spill, limits.pause, limits.goal) == (0, 700, 0, 700)
    assert MemoryLimits.of(1_000, {"target": 0.6, "spill": 0.7, "pause": 0.8}).goal == 600
    assert type(make_store(MemoryLimits.of(0, {"target": 0.6, "spill": 0.7}), "/nowhere")) is DataStore
    for wrong in (True, -0.1, 60, "half", float("nan")):
        with pytest.raises(ValueError, match=r"worker\.memory\.target is .*fraction"):
            MemoryLimits.of(1_000, {"target": wrong})


def test_less_may_be_allowed_for_a_while(tmp_path):
    store = filled(store_of(tmp_path))
    store.allow(SIZE)
    assert store.put("x", block(1), SIZE)
    store.make_room()
    assert store.in_memory == SIZE
    store.allow(-5)
    store.make_room()
    assert store.in_memory == 0
    store.allow()
    filled(store)
    assert store.in_memory == 3 * SIZE
    store.allow(100 * SIZE)
    assert store.target == 3 * SIZE


def test_a_part_of_a_large_array_does_not_keep_all_of_it(tmp_path):
    store = store_of(tmp_path)
    whole = block(7)
    parts = {"part": whole[:100], "most": whole[:-10], "repeated": np.broadcast_to(whole, (3, len(whole)))}
    for key, value in parts.items():
        store.put(key, value, value.nbytes)
    assert store["part"].base is None
    assert store["part"].tolist() == [7] * 100
    assert store["most"] is parts["most"]
    assert store["repeated"] is parts["repeated"]
    # While there is plenty, what is small is not looked at.
    plenty = store_of(tmp_path, target=1000 * SIZE)
    plenty.put("part", parts["part"], 800)
    assert plenty["part"] is parts["part"]
