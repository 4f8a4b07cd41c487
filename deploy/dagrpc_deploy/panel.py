"""A cluster in a notebook: its size, and buttons to scale it by hand or adaptively."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
from collections.abc import Callable
from typing import Any

from dagrpc import config
from dagrpc_deploy.managed_cluster import ManagedCluster


def show(cluster: ManagedCluster) -> None:
    """Show a cluster in a notebook: as a `Panel` where ipywidgets is installed, else as HTML or text."""
    display = importlib.import_module("IPython.display").display
    if importlib.util.find_spec("ipywidgets") is not None:
        display(Panel(cluster).widget)
    else:
        display({"text/plain": repr(cluster), "text/html": cluster._repr_html_()}, raw=True)


class Panel:
    """The widgets of one cluster.

    Parameters
    ----------
    cluster : Cluster
        The cluster.

    Attributes
    ----------
    widget
        The widget to display.
    info
        The cluster as HTML, updated each ``deploy.cluster-repr-interval`` until the cluster closes.
    workers, minimum, maximum
        Fields for numbers of workers.
    scale, adapt
        The buttons.
    message
        The outcome of the latest press of a button.
    """

    def __init__(self, cluster: ManagedCluster) -> None:
        widgets = importlib.import_module("ipywidgets")
        self._cluster = cluster
        planned = len(cluster.plan)
        self.info = widgets.HTML(cluster._repr_html_())
        self.message = widgets.HTML()
        self.workers = widgets.BoundedIntText(planned, min=0, max=10_000, description="Workers")
        self.minimum = widgets.BoundedIntText(0, min=0, max=10_000, description="Minimum")
        self.maximum = widgets.BoundedIntText(max(planned, 1), min=0, max=10_000, description="Maximum")
        self.scale = widgets.Button(description="Scale")
        self.adapt = widgets.Button(description="Adapt")
        self.scale.on_click(lambda _: self._press(self._scale))
        self.adapt.on_click(lambda _: self._press(self._adapt))
        by_hand = widgets.HBox([self.workers, self.scale])
        by_itself = widgets.HBox([self.minimum, self.maximum, self.adapt])
        self.widget = widgets.VBox([self.info, by_hand, by_itself, self.message])
        cluster._loop.submit(self._follow())

    # --- on dagrpc's loop ---

    async def _follow(self) -> None:
        """Update the widgets until the cluster closes."""
        interval = config.get_seconds("deploy.cluster-repr-interval") or 0.5
        while self._cluster._lifecycle.runs:
            await asyncio.sleep(interval)
            await self._renew()

    async def _renew(self) -> None:
        content = self._cluster._html(await self._cluster._ask_summary())
        if content != self.info.value:
            self.info.value = content

    def _press(self, action: Callable[[], Any]) -> None:
        """Act on a button without blocking the notebook."""
        self._cluster._loop.submit(self._act(action))

    async def _act(self, action: Callable[[], Any]) -> None:
        from html import escape

        try:
            self.message.value = escape(await action())
        except Exception as error:  # shown beside the button
            self.message.value = escape(f"{type(error).__name__}: {error}")

    async def _scale(self) -> str:
        count = self.workers.value
        self.message.value = f"Scaling to {count} workers ..."
        await self._cluster.scale(count)
        return f"Scaled to {count} workers"

    async def _adapt(self) -> str:
        self._cluster.adapt(minimum=self.minimum.value, maximum=self.maximum.value)
        return f"Keeps between {self.minimum.value} and {self.maximum.value} workers, as work requires"
