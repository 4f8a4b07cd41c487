"""The panel that a notebook shows of a cluster: real widgets, whose buttons are pressed."""

from __future__ import annotations

from dagrpc import LocalCluster
from dagrpc_deploy.panel import Panel
from tests.support.waiting import eventually


def test_a_cluster_is_scaled_by_its_panel() -> None:
    with LocalCluster(n_workers=1, threads_per_worker=1, processes=False, memory_limit=0) as cluster:
        panel = Panel(cluster)
        assert "<th>Workers</th><td>1</td>" in panel.info.value
        panel.workers.value = 2
        panel.scale.click()
        eventually(lambda: panel.message.value == "Scaled to 2 workers")
        assert cluster.plan == {0, 1}
        # What is shown follows, by itself.
        eventually(lambda: "<th>Workers</th><td>2</td>" in panel.info.value)


def test_a_cluster_adapts_as_its_panel_says() -> None:
    with LocalCluster(n_workers=0, threads_per_worker=1, processes=False, memory_limit=0) as cluster:
        panel = Panel(cluster)
        panel.minimum.value, panel.maximum.value = 1, 2
        panel.adapt.click()
        eventually(lambda: cluster.observed == {0})
        # Bounds that are impossible are said to be so, and change nothing.
        panel.minimum.value, panel.maximum.value = 3, 2
        panel.adapt.click()
        eventually(lambda: panel.message.value.startswith("ValueError"))
        assert cluster.plan == {0}
