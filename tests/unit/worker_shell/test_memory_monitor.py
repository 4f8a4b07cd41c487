"""Workers and nannies react to the use of memory, with measurements that the tests make up."""

import asyncio
from typing import Any

import dask
import pytest

from dagrpc.v1 import common_pb2
from dagrpc_worker.core import events
from dagrpc_worker.data.memory_thresholds import MemoryLimits
from dagrpc_worker.data.spill_files import SpillFiles
from dagrpc_worker.data.spilling_store import SpillingStore
from dagrpc_worker.nanny.memory_limit import most_allowed
from dagrpc_worker.nanny.restart_rules import Kill, Log, MemoryExceeded, NannyCore, StartWanted
from dagrpc_worker.shell.memory.memory_monitor import MemoryMonitor
from dagrpc_worker.shell.worker_record import WorkerRecord

RUNNING, PAUSED = common_pb2.WORKER_STATUS_RUNNING, common_pb2.WORKER_STATUS_PAUSED


class Lab:
    def __init__(self, path, **fractions):
        data = SpillingStore(SpillFiles(path), 600)
        self.worker = WorkerRecord(id="1", name="alice", address="here:1", nthreads=1, memory_limit=1_000, resources={})
        self.data = data
        self.events: list[Any] = []
        self.reports: list[Any] = []
        self.used = 0
        limits = MemoryLimits.of(1_000, {"target": 0.6, "spill": 0.7, "pause": 0.8, **fractions})
        take, report = self.events.extend, self.reports.extend
        self.monitor = MemoryMonitor(self.worker, data, limits, take, report, lambda: self.used - data.spilled)

    def look(self, used):
        self.used = used
        asyncio.run(self.monitor.look())
        return self.worker.status


def test_pauses_and_goes_on(tmp_path):
    lab = Lab(tmp_path)
    assert [lab.look(used) for used in (100, 790, 810, 999, 750, 100)] == [RUNNING, RUNNING, PAUSED, PAUSED] + [
        RUNNING
    ] * 2
    assert [type(event) for event in lab.events] == [events.Paused, events.Resumed]
    assert [report.status for report in lab.reports] == [PAUSED, RUNNING]


def test_results_go_to_disk_before_it_pauses(tmp_path):
    lab = Lab(tmp_path)
    for number in range(5):
        lab.data.put(str(number), bytes(100), 100)
    assert lab.look(850) == RUNNING
    assert (lab.data.spilled, lab.events) == (300, [])


def test_a_worker_that_leaves_neither_pauses_nor_goes_on(tmp_path):
    lab = Lab(tmp_path)
    lab.worker.status = common_pb2.WORKER_STATUS_RETIRING
    assert lab.look(900) == lab.look(100) == common_pb2.WORKER_STATUS_RETIRING


def test_thresholds_that_are_off(tmp_path):
    lab = Lab(tmp_path, spill=False, pause=False)
    lab.data.put("x", bytes(100), 100)
    assert lab.look(5_000) == RUNNING
    assert lab.data.spilled == 0


def test_a_nanny_kills_once():
    core = NannyCore(60.0, 5, 60.0)
    assert core.handle(MemoryExceeded(2 * 2**20, 2**20), 0.0) == []
    core.handle(StartWanted(), 0.0)
    log, kill = core.handle(MemoryExceeded(2 * 2**20, 2**20), 1.0)
    assert isinstance(log, Log)
    assert "2.0 MiB, 200 % of its limit of 1.0 MiB" in log.message
    assert isinstance(kill, Kill)
    assert core.handle(MemoryExceeded(2 * 2**20, 2**20), 1.1) == []


def test_when_a_nanny_kills():
    assert most_allowed(1_000) == 950
    assert most_allowed(0) == 0
    with dask.config.set({"distributed.worker.memory.terminate": False}):
        assert most_allowed(1_000) == 0
    with (
        dask.config.set({"distributed.worker.memory.terminate": 7}),
        pytest.raises(ValueError, match=r"terminate is 7"),
    ):
        most_allowed(1_000)


def test_memory_of_a_worker_as_the_scheduler_tells_it():
    from dagrpc_scheduler.shell.user_views.memory_state import MemoryState

    found = MemoryState.measured(1_000, 500, 200, old=300)
    assert (found.process, found.managed, found.spilled, found.managed_total) == (1_000, 300, 200, 500)
    assert (found.unmanaged, found.unmanaged_old, found.unmanaged_recent, found.optimistic) == (700, 300, 400, 600)
    assert MemoryState.measured(1_000, 500, 200, old=900).unmanaged_recent == 0
