"""dask's extension for JupyterLab, as it is, finds the dashboard, lists its panels and shows them in its frames."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from dagrpc import Client, LocalCluster, Security
from dagrpc_scheduler.http.dashboard.panels import PANELS
from tests.support.browser import Tab, chromium_tab, find_chromium
from tests.support.jupyterlab import (
    is_installed,
    jupyterlab,
    listed,
    open_notebook,
    open_panel,
    run_notebook,
    search,
    type_link,
)

pytestmark = [
    pytest.mark.timeout(400),
    pytest.mark.skipif(find_chromium() is None, reason="needs Chromium"),
    pytest.mark.skipif(not is_installed(), reason="needs JupyterLab: make test-jupyterlab"),
]

TOKEN = "a-token-that-is-long-enough"
TASKS = 40


def inc(x: int) -> int:
    return x + 1


@pytest.fixture
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50) as cluster:
        yield cluster


@pytest.fixture
def client(cluster: LocalCluster) -> Iterator[Client]:
    with Client(cluster) as client:
        futures = client.map(inc, range(TASKS))
        client.gather(futures)
        yield client


def browse(home: Path, cells: list[str], look: Callable[[Tab, int], Coroutine[Any, Any, None]]) -> None:
    """Run a coroutine with a tab that shows a notebook in JupyterLab."""

    async def run() -> None:
        async with jupyterlab(home, cells) as port, chromium_tab() as tab:
            await tab.size(1440, 900)
            await open_notebook(tab, port)
            await look(tab, port)

    asyncio.run(run())


def root_of(client: Client) -> str:
    return str(client.dashboard_link).removesuffix("status")


async def check_task_stream(panel: Tab) -> None:
    """Check that the panel shows all tasks that there were."""
    await panel.until("document.querySelector('.panel-task-stream [role=status]')?.textContent.includes('of')")
    await panel.get("document.querySelector('[title=\"Show everything that is kept\"]').click()")
    await panel.until(f"parseInt(document.querySelector('.panel-task-stream [role=status]').textContent) === {TASKS}")
    assert panel.faults == []


def test_the_extension_finds_the_dashboard_of_a_notebooks_client(client: Client, tmp_path: Path) -> None:
    cells = [
        "import dagrpc\ndagrpc.install_as_distributed()",
        f"client = dagrpc.Client({client.scheduler_info()['address']!r})\nprint(client.submit(sum, [40, 2]).result())",
    ]

    async def look(tab: Tab, port: int) -> None:
        await run_notebook(tab, "42")
        await search(tab)
        titles = await listed(tab, len(PANELS))
        assert {"Task Stream", "Progress", "Workers Memory", "Cluster Memory", "Graph", "Nprocessing"} < set(titles)
        assert await tab.get("document.querySelector('#dask-dashboard-launcher input').value") == root_of(client)
        # The layout that the extension comes with: three panels at once.
        await tab.get("void jupyterapp.commands.execute('dask:launch-layout')")
        await tab.until("document.querySelectorAll('.dask-DaskDashboard-widget iframe').length === 3")
        async with tab.frame("individual-progress") as panel:
            row = "document.querySelector('[data-prefix=\"inc\"] .numbers')?.textContent"
            await panel.until(f"{row}?.startsWith('{TASKS}: {TASKS} memory')")

    browse(tmp_path, cells, look)


def test_panels_of_a_typed_address_are_shown_in_frames(client: Client, tmp_path: Path) -> None:
    async def look(tab: Tab, port: int) -> None:
        await type_link(tab, str(client.dashboard_link))
        await listed(tab, len(PANELS))
        await open_panel(tab, "Task Stream")
        async with tab.frame("individual-task-stream") as panel:
            await check_task_stream(panel)
        await open_panel(tab, "Workers")
        async with tab.frame("individual-workers") as panel:
            await panel.until("document.querySelectorAll('tbody tr td a').length === 2")
            # A worker opens within the frame.
            await panel.get("document.querySelector('tbody tr td a').click()")
            await panel.until("document.querySelector('[data-figure=\"Status\"]')?.textContent === 'running'")

    browse(tmp_path, [""], look)


def test_panels_come_through_jupyters_proxy(client: Client, tmp_path: Path) -> None:
    async def look(tab: Tab, port: int) -> None:
        await type_link(tab, f"/proxy/{urlsplit(root_of(client)).port}/status")
        await listed(tab, len(PANELS))
        await open_panel(tab, "Task Stream")
        # This frame is of JupyterLab's own site: its document belongs to the page.
        found = "document.querySelector('.dask-DaskDashboard-widget iframe').contentDocument"
        status = f"{found}.querySelector('.panel-task-stream [role=status]')?.textContent"
        await tab.until(f"{status}?.includes('of')")
        await tab.get(f"{found}.querySelector('[title=\"Show everything that is kept\"]').click()")
        await tab.until(f"parseInt({status}) === {TASKS}")

    browse(tmp_path, [""], look)


def test_a_link_with_a_token_opens_panels_where_jupyterlab_has_the_same_host(tmp_path: Path) -> None:
    async def look(tab: Tab, port: int) -> None:
        link = locked.dashboard_link.replace("127.0.0.1", "localhost")
        await type_link(tab, f"{link.removesuffix('status')}?token={TOKEN}")
        await listed(tab, len(PANELS))
        await open_panel(tab, "Figures")
        # The address of the frame is that with the token; the document's is the one without.
        async with asyncio.timeout(60):
            while not any("/stream" in link for link in tab.requested):
                await asyncio.sleep(0.1)
        world = await tab.world("individual-figures")
        await tab.until("document.querySelector('[data-figure=\"Workers\"]')?.textContent === '1'", world=world)

    with LocalCluster(
        n_workers=1, threads_per_worker=1, security=Security(token=TOKEN), dashboard_address=":0", silence_logs=50
    ) as locked:
        browse(tmp_path, [""], look)
