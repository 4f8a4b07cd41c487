"""A JupyterLab with dask's extension, which has an environment of its own, and notebooks that run where dagrpc is."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.support.browser import Tab

HOME = Path(__file__).parents[2] / "build" / "jupyterlab"
"""The folder that ``make test-jupyterlab`` fills: JupyterLab, the extension, and packages of a kernel in ``kernel``."""
_PYTHON = HOME / "bin" / "python"
_KERNEL = HOME / "kernel"
_START = 120.0
_LAUNCHER = "#dask-dashboard-launcher"


def is_installed() -> bool:
    """Tell whether it can be started."""
    return (HOME / ".installed").exists()


@asynccontextmanager
async def jupyterlab(home: Path, cells: list[str]) -> AsyncIterator[int]:
    """Start a JupyterLab that serves a folder with ``notebook.ipynb``; yield its port."""
    for name in ("data/kernels/dagrpc", "run", "config", "files"):
        (home / name).mkdir(parents=True)
    (home / "data/kernels/dagrpc/kernel.json").write_text(json.dumps(_kernel()))
    (home / "files/notebook.ipynb").write_text(json.dumps(_notebook(cells)))
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {
        "HOME": str(home),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "run"),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
    }
    with (home / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(str(_PYTHON), "-m", "jupyterlab", "--no-browser", "--allow-root"),
            *("--ServerApp.port=0", "--IdentityProvider.token=", "--LabApp.news_url="),
            # Lets the test run JupyterLab's own commands.
            "--LabApp.expose_app_in_browser=True",
            f"--ServerApp.root_dir={home / 'files'}",
            env=environment,
            cwd=home,
            stdout=log,
            stderr=log,
        )
        try:
            yield await _port(process, home)
        finally:
            process.terminate()
            try:
                async with asyncio.timeout(_START):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()


async def _port(process: asyncio.subprocess.Process, home: Path) -> int:
    async with asyncio.timeout(_START):
        while True:
            assert process.returncode is None, (home / "log").read_text()
            for path in (home / "run").glob("jpserver-*.json"):
                # The file is there before its content.
                if text := path.read_text():
                    return int(json.loads(text)["port"])
            await asyncio.sleep(0.1)


def _kernel() -> dict[str, Any]:
    # At the end of the path, the kernel's packages hide none of the project's.
    code = (
        f"import sys; sys.path.append({str(_KERNEL)!r}); "
        "from ipykernel.kernelapp import launch_new_instance; launch_new_instance()"
    )
    return {
        "argv": [sys.executable, "-c", code, "-f", "{connection_file}"],
        "display_name": "dagrpc",
        "language": "python",
        "env": {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    }


def _notebook(cells: list[str]) -> dict[str, Any]:
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": {"name": "dagrpc", "display_name": "dagrpc", "language": "python"}},
        "cells": [
            {
                "cell_type": "code",
                "id": f"cell-{number}",
                "metadata": {},
                "outputs": [],
                "execution_count": None,
                "source": text,
            }
            for number, text in enumerate(cells)
        ],
    }


async def open_notebook(tab: Tab, port: int) -> None:
    """Open the notebook by the address that JupyterLab prints, and dask's sidebar beside it."""
    await tab.open(f"http://localhost:{port}/lab/tree/notebook.ipynb?reset")
    await tab.until("window.jupyterapp !== undefined", _START)
    await tab.get("jupyterapp.restored.then(() => true)")
    await tab.until("document.querySelector('.jp-Notebook .cm-content') !== null", _START)
    await tab.get(f"jupyterapp.shell.activateById('{_LAUNCHER[1:]}')")
    await tab.until(f"document.querySelector('{_LAUNCHER} input') !== null")


async def run_notebook(tab: Tab, expected: str) -> None:
    """Run all cells until one has printed a text."""
    notebook = "[...jupyterapp.shell.widgets('main')].find((each) => each.context?.path === 'notebook.ipynb')"
    await tab.until(f"{notebook}?.sessionContext?.session?.kernel?.status === 'idle'", _START)
    await tab.get(f"jupyterapp.shell.activateById({notebook}.id)")
    await tab.get("void jupyterapp.commands.execute('notebook:run-all-cells')")
    text = "[...document.querySelectorAll('.jp-OutputArea-output')].map((each) => each.textContent).join('')"
    await tab.until(f"{text}.includes({json.dumps(expected)})", _START)


async def search(tab: Tab) -> None:
    """Let the extension look for the dashboard of the notebook's client."""
    await tab.get(f"document.querySelector('{_LAUNCHER} [title=\"Auto-detect dashboard URL\"]').click()")


async def type_link(tab: Tab, link: str) -> None:
    """Type the dashboard's address into the extension's field."""
    field = f"document.querySelector('{_LAUNCHER} input')"
    await tab.get(f"{field}.focus(), {field}.select()")
    await tab.send("Input.insertText", text=link)
    await tab.press("Enter")


async def listed(tab: Tab, count: int) -> list[str]:
    """Return the texts of the extension's buttons, once there are so many."""
    await tab.until(f"document.querySelectorAll('{_LAUNCHER} li button').length === {count}")
    found: list[str] = await tab.get(
        f"[...document.querySelectorAll('{_LAUNCHER} li button')].map((e) => e.textContent)"
    )
    return found


async def open_panel(tab: Tab, title: str) -> None:
    """Press the button of a panel, which opens it in JupyterLab's main area."""
    await tab.get(f"document.querySelector('{_LAUNCHER} li button[value=\"{title}\"]').click()")
