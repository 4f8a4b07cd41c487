"""The store keeps received parcels in memory or on disk, and drops them at the end of the run."""

from __future__ import annotations

import errno
import threading
from pathlib import Path

import pytest

from dagrpc.exceptions import P2POutOfDiskError, ShuffleClosedError
from dagrpc.shuffle.specs import Parcel
from dagrpc.v1 import shuffle_service_pb2 as pb
from dagrpc_worker.data import shuffle_store
from dagrpc_worker.data.byte_budget import ByteBudget
from dagrpc_worker.data.shuffle_store import ShuffleStore
from dagrpc_worker.shell.shuffle.shuffle_outbox import ParcelReader, parcel_messages


def parcel(source: int, *pieces: tuple[int, bytes]) -> Parcel:
    starts = [0]
    for _, data in pieces:
        starts.append(starts[-1] + len(data))
    return Parcel(source, [output for output, _ in pieces], starts, "pickle", b"".join(data for _, data in pieces))


def read(store: ShuffleStore, output: int) -> list[tuple[int, bytes]]:
    return [(piece.source, bytes(piece.body[piece.start : piece.stop])) for piece in store.read(output, 0)]


@pytest.fixture
def store(tmp_path: Path) -> ShuffleStore:
    return ShuffleStore(tmp_path / "shuffle" / "run-1", ByteBudget(100), "s")


def test_pieces_come_in_the_order_of_their_sources_from_wherever_they_are(store: ShuffleStore, tmp_path: Path) -> None:
    store.add(parcel(5, (0, b"five"), (3, b"55")))
    store.write()
    store.add(parcel(2, (3, b"22")))
    assert (store.in_memory, store.on_disk) == (2, 6)
    assert read(store, 0) == [(5, b"five")]
    assert read(store, 3) == [(2, b"22"), (5, b"55")]
    assert read(store, 4) == []
    store.write()
    store.add(parcel(1, (3, b"1")))
    assert read(store, 3) == [(1, b"1"), (2, b"22"), (5, b"55")]
    assert store._budget.used == 1
    store.close()
    assert list((tmp_path / "shuffle").iterdir()) == []
    assert store._budget.used == 0


def test_a_source_counts_once(store: ShuffleStore) -> None:
    assert store.add(parcel(1, (0, b"first")))
    assert not store.add(parcel(1, (0, b"again")))
    assert read(store, 0) == [(1, b"first")]
    assert store.in_memory == 5


def test_incomplete_files_are_not_read(store: ShuffleStore) -> None:
    store.add(parcel(1, (0, b"x")))
    with pytest.raises(ShuffleClosedError, match="The parcels of 1 sources have arrived; 2 sources have sent some"):
        store.read(0, 2)
    # It has nothing for this output, but has to be there, as nobody can know.
    store.add(parcel(2, (1, b"y")))
    assert [piece.source for piece in store.read(0, 2)] == [1]


def test_nothing_is_kept_or_found_after_the_end(store: ShuffleStore) -> None:
    store.add(parcel(1, (0, b"x")))
    store.close()
    store.close()
    with pytest.raises(ShuffleClosedError):
        store.add(parcel(2, (0, b"x")))
    with pytest.raises(ShuffleClosedError):
        store.read(0, 0)
    store.write()


def test_without_a_file_all_stays_in_memory() -> None:
    store = ShuffleStore(None, ByteBudget(1), "s")
    store.add(parcel(1, (0, b"xyz")))
    store.write()
    assert (store.in_memory, read(store, 0)) == (3, [(1, b"xyz")])


def test_a_full_disk_fails_all_later_calls(store: ShuffleStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(file: object, data: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shuffle_store, "_write_all", full)
    store.add(parcel(1, (0, b"xyz")))
    for attempt in (store.write, store.check):
        with pytest.raises(P2POutOfDiskError, match=r"no room on the disk of .*run-1"):
            attempt()
    with pytest.raises(P2POutOfDiskError):
        store.add(parcel(2, (0, b"xyz")))
    with pytest.raises(P2POutOfDiskError):
        store.read(0, 0)
    assert (store.in_memory, store.movable) == (3, 0)
    store.close()
    assert store._budget.used == 0


def test_threads_that_write_and_read_at_once(store: ShuffleStore) -> None:
    def fill(first: int) -> None:
        for source in range(first, 400, 4):
            store.add(parcel(source, (source % 3, b"%d" % source)))
            store.write()

    threads = [threading.Thread(target=fill, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [source for source, _ in read(store, 1)] == list(range(1, 400, 3))
    assert all(data == b"%d" % source for source, data in read(store, 2))


def test_a_budget_wakes_those_who_wait() -> None:
    budget = ByteBudget(10)
    assert budget.room() is None
    budget.take(15)
    waiting = [budget.room(), budget.room()]
    assert budget.exhausted
    budget.give(3)
    assert not any(future.done() for future in waiting if future)
    budget.give(3)
    assert all(future.done() for future in waiting if future)
    assert budget.room() is None


# --- on the wire -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 7, 64, 10_000])
def test_parcels_are_put_together_again(limit: int) -> None:
    sent = [parcel(1, (0, b"a" * 50), (4, b"b" * 3)), parcel(2, (7, b"")), parcel(3, (0, b"c"), (1, b"d" * 20))]
    reader = ParcelReader()
    messages = list(parcel_messages(sent, limit))
    assert all(sum(len(part.data) for part in message) <= limit for message in messages)
    found = [each for message in messages for each in reader.take(message)]
    reader.finish()
    assert [(p.source, list(p.outputs), list(p.starts), p.format, bytes(p.body)) for p in found] == [
        (p.source, p.outputs, p.starts, p.format, p.body) for p in sent
    ]


@pytest.mark.parametrize(
    "parts",
    [
        [pb.Parcel(source=1, nbytes=2, offset=1, data=b"x")],
        [pb.Parcel(source=1, nbytes=1, data=b"xx", starts=[0])],
        [pb.Parcel(source=1, nbytes=1, data=b"x", outputs=[1], starts=[0])],
        [pb.Parcel(source=1, nbytes=9, data=b"x", starts=[0]), pb.Parcel(source=2, nbytes=1, data=b"x", starts=[0])],
        [pb.Parcel(source=1, nbytes=3, data=b"x", starts=[0]), pb.Parcel(source=1, nbytes=3, offset=1, data=b"xxx")],
        [pb.Parcel(source=1, nbytes=1 << 50, data=b"x", starts=[0])],
        [pb.Parcel(source=1, nbytes=3, data=b"x", starts=[0])],
    ],
)
def test_parts_that_do_not_fit_together_are_refused(parts: list[pb.Parcel]) -> None:
    def read_all() -> None:
        reader = ParcelReader()
        list(reader.take(parts))
        reader.finish()

    with pytest.raises(ValueError, match="parcel"):
        read_all()
