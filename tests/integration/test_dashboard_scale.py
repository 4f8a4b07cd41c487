"""The dashboard stays usable with a thousand workers and a hundred thousand tasks. The workers are simulated."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.request
from typing import Any

import pytest

from dagrpc import Client, LocalCluster
from tests.support.browser import chromium_tab, find_chromium

WORKERS = 1_000
TASKS = 100_000


def inc(x: int) -> int:
    return x + 1


async def simulate(dask_scheduler: Any, workers: int, tasks: int, rate: int) -> None:
    """Add workers that finish tasks at a rate to a scheduler, by events of its core."""
    import asyncio
    import random
    import time

    from dagrpc_scheduler.core.events import ClientAdded, GraphSubmitted, NewTask, TaskFinished, WorkerAdded

    driver, core = dask_scheduler._service.driver, dask_scheduler._service.core
    addresses = [f"10.0.{number // 250}.{number % 250}:4000" for number in range(workers)]
    for number, address in enumerate(addresses):
        driver.handle(WorkerAdded(address, f"simulated-{number}", 4, memory_limit=16 * 2**30))
    driver.handle(ClientAdded("simulated"))
    for start in range(0, tasks, 4_000):
        part = [
            NewTask(f"('step{number % 7}-0a1b2c3d', {number})", (), b"work", order=number, wanted=True)
            for number in range(start, min(start + 4_000, tasks))
        ]
        driver.handle(GraphSubmitted("simulated", "graph", part, last=start + 4_000 >= tasks))

    async def finish() -> None:
        while True:
            now = time.time()
            done = []
            for address in random.sample(addresses, rate // 10):
                task = next(iter(core.state.workers[address].processing), None)
                if task is not None:
                    done.append(TaskFinished(address, task.key, task.run_id, 1_000, "int", now, now + 0.1, b"", "s"))
            driver.handle_batch(done)
            await asyncio.sleep(0.1)

    dask_scheduler._simulation = asyncio.ensure_future(finish())


@pytest.mark.skipif(find_chromium() is None, reason="needs Chromium")
def test_a_thousand_workers_and_a_hundred_thousand_tasks() -> None:
    async def look(root: str) -> dict[str, float]:
        found: dict[str, float] = {}
        async with chromium_tab() as tab:
            await tab.size(1280, 800)
            begun = time.perf_counter()
            await tab.open(root + "status")
            await tab.until("document.querySelector('[data-figure=Workers]')?.textContent === '1,000'")
            found["first paint"] = time.perf_counter() - begun
            await tab.until("document.querySelectorAll('[data-prefix]').length === 7")
            frames = """new Promise((resolve) => { let count = 0; const begun = performance.now();
                const step = () => { count += 1; performance.now() - begun > 4000 ? resolve(count / 4)
                    : requestAnimationFrame(step); }; requestAnimationFrame(step); })"""
            found["frames/s"] = await tab.get(frames)
            found["heap MB"] = await tab.get("performance.memory.usedJSHeapSize / 1e6")
            await tab.open(root + "workers")
            await tab.until("document.querySelector('.controls [role=status]').textContent === '1000'")
            assert await tab.get("document.querySelectorAll('tbody tr').length") < 200
            await tab.get("document.querySelector('.scroller').scrollTop = 13000")
            await tab.until("[...document.querySelectorAll('tbody a')].some((a) => a.textContent === 'simulated-499')")
            found["frames/s in the table"] = await tab.get(frames)
            await tab.open(root + "graph")
            await tab.until("document.querySelector('.panel-graph [role=status]').textContent.includes('7 groups')")
            assert tab.faults == []
        return found

    with LocalCluster(n_workers=0, dashboard_address=":0", silence_logs=50) as cluster, Client(cluster) as client:
        client.run_on_scheduler(simulate, workers=WORKERS, tasks=TASKS, rate=2_000)
        root = str(client.dashboard_link).removesuffix("status")
        found = asyncio.run(look(root))
        found["bytes/s"] = bytes_per_second(root)
    print(json.dumps({name: round(value, 2) for name, value in found.items()}))
    # Far from what a quiet machine does, so that a busy one passes.
    assert found["first paint"] < 20
    assert found["frames/s"] > 5
    assert found["heap MB"] < 250
    assert found["bytes/s"] < 1_000_000


def bytes_per_second(root: str) -> float:
    """Return how much a viewer of the status page is sent in a second, once it has the beginning."""
    feeds = "summary,workers,prefixes,tasks"
    with urllib.request.urlopen(f"{root}stream?feeds={feeds}", timeout=60) as stream:
        stream.readline()
        begun, size = time.perf_counter(), 0
        while time.perf_counter() - begun < 5:
            size += len(stream.readline())
    return size / (time.perf_counter() - begun)
