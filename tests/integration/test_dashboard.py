"""The dashboard in a real browser shows the state of a real cluster, without errors and without requests elsewhere."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any
from urllib.parse import quote

import pytest

from dagrpc import Client, Future, LocalCluster, Security, get_worker, wait
from dagrpc_scheduler.http.dashboard.panels import PAGES, PANELS
from tests.support.browser import Tab, chromium_tab, find_chromium

pytestmark = pytest.mark.skipif(find_chromium() is None, reason="needs Chromium")


def inc(x: int) -> int:
    return x + 1


def nap() -> None:
    """Run until it is cancelled by force, which ends no sleep, however long."""
    for _ in range(6_000):
        time.sleep(0.1)


def total(xs: list[int]) -> int:
    return sum(xs)


def talk() -> None:
    key = get_worker().get_current_task()
    logging.getLogger("distributed.worker").warning("It is well", extra={"key": key})
    logging.getLogger("distributed.worker").warning("It is unrelated", extra={"key": "another"})


def fail(x: int) -> float:
    return x / 0


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50) as cluster:
        yield cluster


@pytest.fixture
def client(cluster: LocalCluster) -> Iterator[Client]:
    with Client(cluster) as client:
        yield client


@pytest.fixture
def work(client: Client) -> list[Future]:
    """Tasks of all kinds: 40 with results, one that uses them, one that failed."""
    numbers = client.map(inc, range(40), pure=False)
    futures = [*numbers, client.submit(total, numbers, pure=False), client.submit(fail, 1, key=("fail-<b>", 1))]
    wait(futures)
    return futures


def browse(client: Client, look: Callable[[Tab, str], Coroutine[Any, Any, None]]) -> None:
    """Run a coroutine with a tab and the address of the pages, and check that the pages had no faults."""
    root = str(client.dashboard_link).removesuffix("status")

    async def run() -> None:
        async with chromium_tab() as tab:
            await tab.size(1280, 800)
            await look(tab, root)
            assert tab.faults == []
            asked = [link for link in tab.requested if not link.startswith(("data:", "about:"))]
            assert asked
            assert [link for link in asked if not link.startswith(root)] == []

    asyncio.run(run())


def figure(name: str) -> str:
    return f"document.querySelector('[data-figure=\"{name}\"]')?.textContent"


def test_every_page_and_every_panel_opens_without_faults(client: Client, work: list[Future]) -> None:
    async def look(tab: Tab, root: str) -> None:
        for page in PAGES:
            await tab.open(root + page.name)
            await tab.until(f"document.title === 'dagrpc: {page.title}'")
            await tab.until(f"document.querySelectorAll('section.panel').length === {len(page.panels)}")
            if any(PANELS[name].feeds for name in page.panels):
                await tab.until("document.getElementById('connection').textContent === 'live'")
            await asyncio.sleep(0.7)
            assert await tab.get("document.documentElement.scrollWidth <= innerWidth"), page.name
        for panel in PANELS.values():
            await tab.open(root + panel.path.removeprefix("/"))
            await tab.until("document.querySelectorAll('section.panel').length === 1")
            await asyncio.sleep(0.2)

    browse(client, look)


def test_its_numbers_are_those_of_the_cluster(client: Client, work: list[Future]) -> None:
    async def look(tab: Tab, root: str) -> None:
        await tab.open(root + "status")
        await tab.until(f"{figure('In memory')} === '41'")
        assert await tab.get(figure("Workers")) == "2"
        assert await tab.get(figure("Threads")) == "2"
        assert await tab.get(figure("Failed")) == "1"
        assert await tab.get(figure("Tasks")) == "42"
        row = "document.querySelector('[data-prefix=\"inc\"] .numbers').textContent"
        await tab.until(f"{row}.startsWith('40: 40 memory')")
        # These tasks ran before the page was opened.
        await tab.until("document.querySelector('.panel-task-stream [role=status]').textContent.includes('of')")
        await tab.get("document.querySelector('[title=\"Show everything that is kept\"]').click()")
        seen = "parseInt(document.querySelector('.panel-task-stream [role=status]').textContent)"
        await tab.until(f"{seen} >= 42")
        await tab.open(root + "workers")
        await tab.until("document.querySelectorAll('tbody tr td a').length === 2")
        shown = await tab.get("[...document.querySelectorAll('tbody tr')].map((row) => row.textContent).join()")
        for address in client.scheduler_info()["workers"]:
            assert address in shown
        await tab.open(root + "groups")
        await tab.until("[...document.querySelectorAll('tbody tr')].some((row) => row.textContent.includes('total'))")
        await tab.open(root + "graph")
        await tab.until(
            "document.querySelector('.panel-graph [role=status]').textContent === '42 tasks, 40 dependencies'"
        )

    browse(client, look)


def test_pages_follow_the_cluster(client: Client) -> None:
    async def look(tab: Tab, root: str) -> None:
        await tab.open(root + "status")
        await tab.until(f"{figure('Tasks')} === '0'")
        future = client.submit(nap, pure=False)
        await tab.until(f"{figure('Processing')} === '1'")
        future.cancel(force=True)
        await tab.until(f"{figure('Tasks')} === '0'")

    browse(client, look)


def test_a_failure_is_shown_with_its_traceback(client: Client, work: list[Future]) -> None:
    async def look(tab: Tab, root: str) -> None:
        await tab.open(root + "errors")
        await tab.until("document.querySelectorAll('details.error').length === 1")
        text = await tab.get("document.querySelector('details.error').textContent")
        assert "ZeroDivisionError" in text
        assert "in fail" in text
        assert "client.retry([Future(('fail-<b>', 1))])" in text
        await tab.get("document.querySelector('details.error a').click()")
        await tab.until("document.querySelector('dialog[open]')?.textContent.includes('processing → erred')")

    browse(client, look)


def test_the_page_of_a_worker_has_its_stacks_and_its_log(client: Client) -> None:
    future = client.submit(nap, key="sleeper")

    async def look(tab: Tab, root: str) -> None:
        for worker in client.scheduler_info()["workers"]:
            await tab.open(f"{root}workers?worker={quote(worker, safe='')}")
            await tab.until(f"{figure('Status')} === 'running'")
            await tab.until("document.querySelector('pre.log') !== null")
        while not (running := [worker for worker, keys in client.processing().items() if keys]):
            await asyncio.sleep(0.1)
        await tab.open(f"{root}workers?worker={quote(running[0], safe='')}")
        await tab.until("document.querySelector('main').textContent.includes('sleeper')")
        await tab.open(f"{root}workers?worker=nobody")
        await tab.until("document.querySelector('main').textContent.includes('nobody is not in the cluster')")
        # The questions about this worker were answered with 404, as they should be.
        assert all("404" in fault for fault in tab.faults)
        tab.faults.clear()

    try:
        browse(client, look)
    finally:
        future.cancel(force=True)


def test_everything_is_reached_by_keyboard_and_the_theme_changes(client: Client) -> None:
    async def look(tab: Tab, root: str) -> None:
        await tab.prefer("dark")
        await tab.open(root + "status")
        await tab.until("document.getElementById('connection').textContent === 'live'")
        back = "getComputedStyle(document.body).backgroundColor"
        assert await tab.get(back) == "rgb(22, 24, 28)"
        wanted = "document.querySelectorAll('a[href], button, select, input, canvas[tabindex]').length"
        reached: set[str] = set()
        for _ in range(int(await tab.get(wanted)) + 5):
            await tab.press("Tab")
            mark = (
                "(document.activeElement.dataset.seen ??= String(Math.random()), document.activeElement.dataset.seen)"
            )
            reached.add(str(await tab.get(f"document.activeElement === document.body ? '' : {mark}")))
            if await tab.get("document.activeElement.matches('button')"):
                assert await tab.get("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        assert len(reached - {""}) >= int(await tab.get(wanted))
        await tab.get("document.querySelector('.tools button').focus()")
        await tab.press("Enter")
        assert await tab.get(back) == "rgb(255, 255, 255)"
        await tab.get("document.querySelector('nav a[data-page=tasks]').focus()")
        await tab.press("Enter")
        await tab.until("location.pathname === '/tasks' && document.title === 'dagrpc: Tasks'")
        # The theme is remembered.
        await tab.open(root + "memory")
        assert await tab.get(back) == "rgb(255, 255, 255)"

    browse(client, look)


def test_pages_fit_the_width_of_a_phone(client: Client, work: list[Future]) -> None:
    async def look(tab: Tab, root: str) -> None:
        await tab.size(390, 844)
        for page in PAGES:
            await tab.open(root + page.name)
            await asyncio.sleep(0.5)
            assert await tab.get("document.documentElement.scrollWidth") <= 390, page.name

    browse(client, look)


def test_pages_work_with_a_token_and_below_a_prefix() -> None:
    token = "a-token-that-is-long-enough"

    async def look(tab: Tab, root: str) -> None:
        await tab.open(f"{root}status?token={token}")
        await tab.until(f"{figure('Workers')} === '1'")
        assert await tab.get("location.pathname + location.search") == "/some/where/status"
        await tab.get("document.querySelector('nav a[data-page=profile]').click()")
        await tab.until("document.querySelectorAll('section.panel').length === 3")
        await tab.until("document.querySelector('[role=status]').textContent !== 'loading'")
        assert await tab.get("location.pathname") == "/some/where/profile"

    with (
        LocalCluster(
            n_workers=1,
            threads_per_worker=1,
            security=Security(token=token),
            dashboard_address=":0",
            scheduler_kwargs={"http_prefix": "/some/where"},
        ) as cluster,
        Client(cluster) as client,
    ):
        browse(client, look)


def test_charts_begin_before_the_page_was_opened(client: Client, work: list[Future]) -> None:
    async def look(tab: Tab, root: str) -> None:
        worker = next(iter(client.scheduler_info()["workers"]))
        await tab.open(root + "groups")
        for page, question in (("memory", ""), ("workers", f"?worker={quote(worker, safe='')}")):
            # The scheduler has samples from before the chart was opened.
            asked = f"fetch('details/memory.json{question}').then((answer) => answer.json())"
            await tab.until(f"{asked}.then(({{ rows }}) => rows.length > 1)")
            moment, values = (await tab.get(asked))["rows"][0]
            assert len(values) == 4
            await tab.open(root + page + question)
            begin = await tab.get(f"import('./statics/format.js').then(({{ clock }}) => clock({moment}))")
            chart = "document.querySelector('canvas[aria-label^=\"Memory over time\"]')"
            await tab.until(f"{chart}?.getAttribute('aria-label').startsWith('Memory over time, from {begin} to ')")

    browse(client, look)


def test_the_page_of_a_worker_has_its_own_transfers(client: Client) -> None:
    first, second = client.scheduler_info()["workers"]
    numbers = client.map(inc, range(10), pure=False, workers=[first])
    wait([client.submit(total, numbers, pure=False, workers=[second])])

    async def look(tab: Tab, root: str) -> None:
        for worker in (first, second):
            await tab.open(f"{root}workers?worker={quote(worker, safe='')}")
            note = "[...document.querySelectorAll('[role=status]')].map((each) => each.textContent)"
            await tab.until(f"{note}.some((text) => /^[1-9][0-9]* transfers, /.test(text))")
        # The table of workers reads no transfers.
        await tab.get("document.querySelector('nav a[data-page=workers]').click()")
        await tab.until("document.querySelectorAll('tbody tr td a').length === 2")
        assert "transfers" not in next(link for link in reversed(tab.requested) if "/stream" in link)

    browse(client, look)


@pytest.mark.parametrize("key", ["talker", ("talker", 1)])
def test_a_task_is_shown_with_its_log_lines(client: Client, key: Any) -> None:
    future = client.submit(talk, key=key)
    wait([future])

    async def look(tab: Tab, root: str) -> None:
        await tab.open(root + "groups")
        task = json.dumps(str(key))
        context = "{ openWorker() {} }"
        await tab.get(f"import('./statics/task_dialog.js').then(({{ openTask }}) => openTask({task}, {context}))")
        await tab.until("document.querySelector('dialog .lines') !== null")
        lines = await tab.get("[...document.querySelectorAll('dialog .line')].map((line) => line.textContent)")
        assert len(lines) == 1
        (worker,) = client.who_has([future])[key]
        assert lines[0].startswith(worker)
        assert lines[0].endswith("It is well")

    browse(client, look)
