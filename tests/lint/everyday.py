"""Programs of everyday use, which type checkers accept without casts and without comments about types.

`make lint` checks it with mypy, strictly; nothing runs it. If mypy refuses what is right when it runs, the annotations
of dagrpc are wrong, not what is here.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, assert_type

import dagrpc
from dagrpc import (
    Actor,
    ActorFuture,
    Client,
    Event,
    Future,
    KilledWorker,
    LocalCluster,
    Lock,
    Nanny,
    PipInstall,
    Pub,
    Queue,
    Scheduler,
    SchedulerPlugin,
    Security,
    Semaphore,
    SpecCluster,
    Status,
    Sub,
    Variable,
    Worker,
    WorkerPlugin,
    as_completed,
    fire_and_forget,
    futures_of,
    get_client,
    get_task_stream,
    get_worker,
    performance_report,
    progress,
    rejoin,
    secede,
    span,
    wait,
    worker_client,
)
from dagrpc.active_memory_manager import ActiveMemoryManagerPolicy, SuggestionGenerator
from dagrpc.deploy import Cluster


def inc(number: int) -> int:
    return number + 1


def scaled(number: float, factor: float = 1.0, offset: float = 0.0) -> float:
    return factor * number + offset


def group_of(key: str) -> str:
    return key.partition("-")[0]


class Counter:
    def __init__(self) -> None:
        self.count = 0

    def increment(self) -> int:
        self.count += 1
        return self.count


class Connected(WorkerPlugin):
    """A plugin of the user's own."""

    name = "connected"

    def setup(self, worker: Worker) -> None:
        print(worker.address)


class Watching(SchedulerPlugin):
    async def start(self, scheduler: Scheduler) -> None:
        print(scheduler.address)

    def transition(self, key: str, start: str, finish: str, *args: Any, **kwargs: Any) -> None:
        print(key, start, finish)


class Replicating(ActiveMemoryManagerPolicy):
    def run(self) -> SuggestionGenerator:
        for task in self.manager.scheduler.tasks.values():
            yield "replicate", task, None


class Machines(SpecCluster):
    """A cluster manager of the user's own."""

    def __init__(self, machines: dict[str, dict[str, Any]], **kwargs: Any) -> None:
        super().__init__(workers=machines, **kwargs)

    def new_worker_spec(self) -> dict[str, dict[str, Any]]:
        return {f"further-{len(self.workers)}": {"cls": Nanny, "options": {}}}


# --- calls and results -----------------------------------------------------------------------------------------------


def calls(client: Client) -> int:
    future = client.submit(inc, 1)
    other = client.submit(scaled, future, factor=2.0, key="scaled", workers=["alice"], retries=3, pure=False)
    futures = client.map(inc, range(10))
    parameters = {"factor": 2.0, "offset": 1.0}
    client.submit(scaled, 1.0, **parameters)
    client.map(scaled, [1.0, 2.0], **parameters)
    client.submit(lambda x, y: x + y, future, other)
    print(client.run(scaled, 1.0, **parameters), client.run_on_scheduler(inc, 1))
    total: int = client.submit(sum, futures).result(timeout="10 s")
    results: list[int] = client.gather(futures)
    table: dict[str, float] = client.gather({"a": other}, errors="skip")
    scattered = client.scatter(list(range(10)), broadcast=True)
    client.cancel(futures)
    return total + len(results) + len(table) + len(scattered)


def forward(client: Client, function: Any, *args: Any, **kwargs: Any) -> Any:
    return client.submit(function, *args, **kwargs).result()


def what_becomes_of_futures(client: Client, futures: list[Future[int]], untold: list[Future]) -> None:
    done, not_done = wait([*futures, *untold], timeout=10, return_when="FIRST_COMPLETED")
    print(len(done), len(not_done), wait(futures).done)
    for future in as_completed(futures):
        print(future.key, future.result())
    for future, result in as_completed(untold, with_results=True, raise_errors=False):
        print(future, result)
    completed = as_completed(futures)
    completed.add(client.submit(inc, 1))
    completed.update(untold)
    for batch in completed.batches():
        print([future.status for future in batch])
    first, second = futures[0], client.submit(scaled, 1)
    assert_type(first.result(), int)
    if first.status == "error":
        try:
            first.result()
        except KilledWorker as error:
            print(error, first.exception(), first.traceback())
    first.add_done_callback(lambda future: print(future.result()))
    first.cancel()
    elsewhere = Future("key", client)
    print(elsewhere.result(), first.client.id, second.done(), first.type)
    wait([first, second, elsewhere])
    as_completed([first, second])
    fire_and_forget([first, second])
    progress(futures, group_by=group_of)
    progress(futures_of(futures), group_by=lambda key: key[-1])


# --- clients and clusters --------------------------------------------------------------------------------------------


def clients(path: Path) -> str:
    with Client() as client:
        print(client.scheduler.address, client.dashboard_link, client.scheduler_info()["workers"])
    with Client(n_workers=2, threads_per_worker=1, processes=False, memory_limit="1 GiB") as client:
        client.wait_for_workers(2, timeout=10)
    with Client("tls://127.0.0.1:8786", security=security(path), timeout="5 s") as client:
        client.upload_file(str(path))
        client.register_plugin(Connected())
        client.register_plugin(Watching(), name="watching")
        packages = PipInstall(["numpy"])
        client.register_plugin(packages)
        client.unregister_worker_plugin(packages.name)
        client.restart()
    client = Client("127.0.0.1:8786")
    address = client.scheduler.address
    client.close()
    return address


def security(path: Path) -> Security:
    files = {"tls_ca_file": str(path / "ca.pem"), "tls_client_cert": str(path / "me.pem")}
    made = Security(**files, require_encryption=True)
    print(made.tls_ca_file, made.tls_client_cert, made.tls_client_key)
    return Security(**files)


def clusters() -> None:
    with LocalCluster(n_workers=2, processes=False) as cluster, Client(cluster) as client:
        cluster.scale(3)
        cluster.adapt(minimum=1, maximum=10)
        print(cluster.scheduler_address, cluster.get_client(), client.cluster.name)
        print(sorted(cluster.plan | cluster.observed), sorted(client.futures))
        assert cluster.status is Status.running
    options: dict[str, Any] = {"n_workers": 1, "silence_logs": False}
    LocalCluster(**options).close()
    workers = {
        "large": {"cls": Worker, "options": {"nthreads": 2, "resources": {"GPU": 1}}},
        "small": {"cls": Nanny, "options": {"nthreads": 1}},
    }
    scheduler = {"cls": Scheduler, "options": {"port": 0}}
    with SpecCluster(workers=workers, scheduler=scheduler, worker=workers["small"]) as specified:
        specified.scale(2)
    numbered = {0: {"cls": "dagrpc.Nanny", "options": {}}}
    SpecCluster(workers=numbered).close()


# --- what tasks share, and where they run ----------------------------------------------------------------------------


def primitives(client: Client, data: list[int]) -> None:
    queue, variable, event = Queue("jobs", maxsize=10), Variable("model"), Event("ready")
    queue.put(client.submit(sum, data))
    number: int = queue.get(timeout=1).result()
    variable.set(number)
    with Lock("file"), Semaphore(2, name="database"):
        event.set()
    lock = Lock("file", client=client)
    if lock.acquire(timeout="1 s"):
        lock.release()
    if event.wait(timeout=1) and queue.qsize() == 0:
        print(variable.get())
    Pub("news").put({"number": number})
    for message in Sub("news"):
        print(message)


def datasets(client: Client, name: str, numbers: Future[int]) -> None:
    client.publish_dataset(numbers=numbers)
    client.publish_dataset(**{name: numbers})
    client.publish_dataset(numbers, name=("numbers", 2013), override=True)
    client.datasets["numbers"] = numbers
    print(client.get_dataset(name), client.list_datasets())
    client.unpublish_dataset(name)


def within_a_task(numbers: Iterable[int]) -> int:
    client = get_client()
    futures = client.map(inc, list(numbers))
    secede()
    total: int = sum(client.gather(futures))
    rejoin()
    with worker_client() as other:
        total += other.submit(inc, total).result()
    dagrpc.print("on", get_worker().address, total, file=sys.stderr)
    return total


def actors(client: Client) -> int:
    counter: Actor = client.submit(Counter, actor=True).result()
    call: ActorFuture[int] = counter.increment()
    wait([call])
    count: int = counter.count
    return call.result() + count


def events_and_records(client: Client) -> None:
    client.subscribe_topic("news", lambda event: print(event[1]))
    client.log_event("news", {"a": 1})
    with get_task_stream(client) as stream, performance_report(filename="report.html"), span("load"):
        client.submit(inc, 1).result()
    print(stream.data)


def of_any_cluster(cluster: Cluster) -> Client:
    cluster.wait_for_workers(1, timeout="10 s")
    return cluster.get_client()


def executors(client: Client) -> list[int]:
    with client.get_executor(retries=2) as executor:
        futures = [executor.submit(pow, 2, power) for power in range(3)]
        concurrent.futures.wait(futures)
        print([future.result() for future in concurrent.futures.as_completed(futures)])
        calling = executor.submit(scaled, 1.0, factor=2.0)
        assert_type(calling.result(), float)
        return list(executor.map(inc, [1, 2, 3], timeout=10))


async def through_an_executor(client: Client) -> int:
    return await asyncio.get_running_loop().run_in_executor(client.get_executor(), inc, 1)


# --- on an event loop ------------------------------------------------------------------------------------------------


async def asynchronous(address: str) -> int:
    async with (
        LocalCluster(n_workers=1, processes=False, asynchronous=True) as cluster,
        Client(cluster, asynchronous=True) as client,
    ):
        future = client.submit(inc, 1)
        number: int = await future
        number += await future.result()
        if await future.exception() is not None:
            print(await future.traceback())
        numbers: list[int] = await client.gather(client.map(inc, range(3)))
        done, not_done = await wait([future])
        print(len(done), len(not_done))
        async for finished in as_completed([future]):
            print(await finished)
        async for finished, result in as_completed([future], with_results=True):
            print(finished, result)
        async with Lock("file"):
            await client.scatter([1, 2])
        queue = await Queue("jobs")
        await queue.put(number)
        counter = await client.submit(Counter, actor=True)
        number += await counter.increment()
        await client.cancel(future)
    client = await Client(address, asynchronous=True)
    await client.close()
    async with Scheduler(port=0) as scheduler, Worker(scheduler.address, nthreads=1) as worker:
        print(scheduler.address, worker.address, worker.status)
    return number + sum(numbers)


if __name__ == "__main__":
    print(asyncio.run(asynchronous("127.0.0.1:8786")))
