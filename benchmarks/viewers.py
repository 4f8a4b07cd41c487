"""Measures what HTTP and viewers of the dashboard cost: ``python -m benchmarks.viewers``.

Three clusters do the same work by turns: one whose scheduler serves no HTTP, one where nobody looks, and one with
two viewers of the status page. The viewers are a process of their own, which reads and drops what it is sent.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import aiohttp

from dagrpc import Client, LocalCluster

_FEEDS = "summary,workers,tasks,prefixes"
"""The feeds of the status page."""
_VIEWERS = 2
_KINDS = {"without HTTP": False, "nobody looks": True, f"{_VIEWERS} viewers": True}


def inc(number: int) -> int:
    """Return the next number, as a trivial task."""
    return number + 1


def scheduler_seconds() -> float:
    """Return the processor time of the process that this runs in."""
    return time.process_time()


async def watch(link: str, count: int) -> None:
    """Look at the status page until the program is ended."""

    async def one(session: aiohttp.ClientSession) -> None:
        async with session.get(f"{link}stream?feeds={_FEEDS}") as answer:
            answer.raise_for_status()
            print("watching", flush=True)
            async for _ in answer.content.iter_any():
                pass

    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as session:
        await asyncio.gather(*(one(session) for _ in range(count)))


@contextmanager
def viewers(link: str) -> Iterator[None]:
    """Run viewers during a block."""
    command = [sys.executable, "-m", "benchmarks.viewers", "--watch", link]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        for _ in range(_VIEWERS):
            assert process.stdout.readline(), "the viewers have failed"
        yield
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def measure(tasks: int, rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Return tasks a second and the scheduler's processor seconds a thousand tasks, by kind, for each round."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in _KINDS}
    with ExitStack() as stack:
        clients: dict[str, Client] = {}
        links: dict[str, str] = {}
        for name, http in _KINDS.items():
            address = ":0" if http else None
            cluster = stack.enter_context(
                LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=address, silence_logs=50)
            )
            clients[name] = stack.enter_context(Client(cluster, set_as_default=False))
            links[name] = (cluster.dashboard_link or "").removesuffix("status")
            clients[name].gather(clients[name].map(inc, range(2_000)))
        names = list(_KINDS)
        for turn in range(rounds):
            for step in range(len(names)):
                name = names[(turn + step) % len(names)]
                with viewers(links[name]) if name.endswith("viewers") else ExitStack():
                    found[name].append(_round(clients[name], tasks, turn))
    return found


def _round(client: Client, tasks: int, turn: int) -> tuple[float, float]:
    """Run tasks; return their rate and the scheduler's processor seconds for a thousand of them."""
    numbers = range(tasks * (turn + 1), tasks * (turn + 2))
    spent = client.run_on_scheduler(scheduler_seconds)
    begun = time.perf_counter()
    results = client.gather(client.map(inc, numbers))
    rate = tasks / (time.perf_counter() - begun)
    assert results[-1] == numbers[-1] + 1
    return rate, (client.run_on_scheduler(scheduler_seconds) - spent) * 1_000 / tasks


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description="What HTTP and viewers of the dashboard cost.")
    parser.add_argument("--tasks", type=int, default=20_000, help="tasks in a round")
    parser.add_argument("--rounds", type=int, default=7, help="rounds of each kind")
    parser.add_argument("--watch", metavar="LINK", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.watch:
        asyncio.run(watch(arguments.watch, _VIEWERS))
        return
    found = measure(arguments.tasks, arguments.rounds)
    print(f"{arguments.tasks:,} tasks, median of {arguments.rounds} rounds, {os.cpu_count()} processors")
    print("\n| | tasks a second | of that without HTTP | scheduler: CPU ms a thousand tasks |\n|---|---|---|---|")
    whole = statistics.median(rate for rate, _ in found["without HTTP"])
    for name, rounds in found.items():
        rate = statistics.median(rate for rate, _ in rounds)
        spent = statistics.median(spent for _, spent in rounds)
        print(f"| {name} | {rate:,.0f} | {rate / whole:.0%} | {spent * 1e3:.0f} |")


if __name__ == "__main__":
    main()
