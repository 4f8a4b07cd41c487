"""The buffer in which the scheduler keeps records of the workers' tasks and transfers."""

from __future__ import annotations

from dagrpc.v1 import records_pb2 as pb
from dagrpc_scheduler.shell.diagnostics.task_stream_buffer import TaskStreamBuffer, select


def batch(*numbers: int, transfers: int = 0, dropped: int = 0) -> pb.RecordBatch:
    found = pb.RecordBatch(dropped=dropped)
    for number in numbers:
        record = found.tasks.add(key=f"inc-{number}")
        record.activities.add(kind=pb.ACTIVITY_KIND_COMPUTE, start=number, stop=number + 0.5)
    for number in range(transfers):
        found.transfers.add(source="a:1", start=number, stop=number + 0.5)
    return found


def wanted(limit: int = 100_000) -> TaskStreamBuffer:
    records = TaskStreamBuffer(limit)
    records.want("me")
    return records


def keys(chosen):
    return [(worker, [int(record.key[4:]) for record in piece.tasks]) for worker, piece in chosen]


def test_records_come_back_with_their_workers_in_order():
    records = wanted()
    records.add("a", batch(1, 2))
    records.add("b", batch())
    records.add("b", batch(3))
    assert keys(select(records.batches())) == [("a", [1, 2]), ("b", [3])]


def test_a_cursor_tells_what_is_new():
    records = wanted()
    records.add("a", batch(1, 2))
    records.add("a", batch(transfers=1))
    cursor = records.cursor
    assert records.batches(cursor) == []
    records.add("a", batch(3))
    assert keys(select(records.batches(cursor))) == [("a", [3])]


def test_the_oldest_go_when_there_are_too_many():
    records = wanted(limit=10)
    for number in range(100):
        records.add("a", batch(number, number))
    kept = [number for _, numbers in keys(select(records.batches())) for number in numbers]
    assert 10 <= len(kept) <= 12
    assert kept[-1] == 99
    assert records.dropped + len(kept) == 200


def test_records_that_workers_dropped_are_counted():
    records = wanted()
    records.add("a", batch(1, dropped=7))
    assert records.dropped == 7


def test_a_batch_larger_than_the_limit_is_kept_whole():
    records = wanted(limit=3)
    records.add("a", batch(*range(10)))
    assert len(keys(select(records.batches()))[0][1]) == 10


def test_choosing_by_time_and_count():
    records = wanted()
    records.add("a", batch(1, 2, 3))
    records.add("b", batch(4, 5))
    entries = records.batches()
    assert keys(select(entries, start=3.2)) == [("a", [3]), ("b", [4, 5])]
    assert keys(select(entries, stop=2.0)) == [("a", [1, 2])]
    assert keys(select(entries, count=3)) == [("a", [3]), ("b", [4, 5])]
    assert keys(select(entries, stop=4.1, count=2)) == [("a", [3]), ("b", [4])]


def test_transfers_come_when_they_are_wanted():
    records = wanted()
    records.add("a", batch(transfers=3))
    assert select(records.batches()) == []
    ((worker, piece),) = select(records.batches(), transfers=True)
    assert (worker, len(piece.transfers)) == ("a", 3)


def test_large_answers_are_cut():
    records = wanted()
    records.add("a", batch(*range(12_000)))
    found = keys(select(records.batches()))
    assert [len(numbers) for _, numbers in found] == [5_000, 5_000, 2_000]
    assert [number for _, numbers in found for number in numbers] == list(range(12_000))


def test_recording_lasts_as_long_as_somebody_wants_it():
    records = TaskStreamBuffer()
    changes = [records.recording]
    for change in (
        lambda: records.want("one", block=True, more=True),
        lambda: records.want("one", block=True, more=True),
        lambda: records.end("one"),
        lambda: records.end("one"),
        lambda: records.want("one"),
        lambda: records.want("two"),
        lambda: records.client_gone("one"),
        lambda: records.client_gone("two"),
        lambda: records.want("three", block=True, more=True),
        lambda: records.client_gone("three"),
        # Of one that was never begun, and of one that is gone.
        lambda: records.end("nobody"),
        lambda: records.want("three", block=True),
    ):
        change()
        changes.append(records.recording)
    assert changes == [0, 1, 1, 1, 2, 3, 3, 3, 4, 5, 6, 6, 6]


def test_records_that_nobody_wants_are_forgotten():
    records = wanted()
    records.add("a", batch(1))
    records.client_gone("me")
    assert records.batches() == []
    records.add("a", batch(2))
    assert records.batches() == []
    records.want("me")
    records.add("a", batch(3))
    assert keys(select(records.batches())) == [("a", [3])]
