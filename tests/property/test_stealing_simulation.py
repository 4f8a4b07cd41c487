"""Real cores in a network that delays everything: stolen tasks run exactly once, wherever they end up."""

from __future__ import annotations

from random import Random

import pytest

from dagrpc_scheduler.core import events
from dagrpc_scheduler.core.config import CoreConfig
from dagrpc_scheduler.core.events import NO_OPTIONS, TaskOptions
from dagrpc_worker.core.config import WorkerCoreConfig
from tests.property.simulated_cluster import SimulatedCluster
from tests.property.simulated_worker import Work

TASKS = 40
OPTIONS = (
    NO_OPTIONS,
    NO_OPTIONS,
    NO_OPTIONS,
    TaskOptions(workers=("host0:0",)),
    TaskOptions(workers=("host0:0", "host1:2")),
    TaskOptions(workers=("host0:0",), allow_other_workers=True),
    TaskOptions(resources={"GPU": 1.0}),
    TaskOptions(actor=True),
    TaskOptions(priority=1.0),
)


class Play:
    """Workers that join late and pause, and tasks that never fail or get lost."""

    def __init__(self, seed: int) -> None:
        self.choose = Random(seed)
        self.cluster = SimulatedCluster(
            seed,
            CoreConfig(worker_saturation=self.choose.choice((1.1, float("inf"))), steal_latency=0.0, steal_gain=0.0),
            WorkerCoreConfig(lookahead=self.choose.choice((0.0, 0.005))),
            trouble=0.0,
        )
        self.options: dict[str, TaskOptions] = {}

    def run(self) -> None:
        """Play the whole scenario."""
        cluster, choose = self.cluster, self.choose
        cluster.join(1, {"GPU": 1.0})
        self._submit()
        cluster.run(choose.randint(5, 60))
        for _ in range(choose.randint(1, 4)):
            cluster.join(choose.randint(1, 2), choose.choice(({}, {"GPU": 1.0})))
            cluster.run(choose.randint(0, 60))
            cluster.set_paused(choose.choice(cluster.alive()), choose.random() < 0.5)
            cluster.run(choose.randint(0, 30))
        for worker in cluster.alive():
            cluster.set_paused(worker, False)
        cluster.run_to_rest()

    def _submit(self) -> None:
        specs = []
        for number in range(TASKS):
            key = f"{'fg'[number % 2]}-{number:02d}"
            known = list(self.options)
            needs = tuple(self.choose.sample(known, min(len(known), self.choose.choice((0, 0, 1, 2)))))
            options = self.options[key] = self.choose.choice(OPTIONS)
            specs.append(events.NewTask(key, needs, Work(key, needs), (), options, number, wanted=True))
        client = self.cluster.client("ann")
        client.messages.append(events.GraphSubmitted("ann", "graph", specs))
        client.status.update(dict.fromkeys(self.options, "pending"))


@pytest.mark.parametrize("start", range(0, 100, 25))
def test_every_task_runs_once_where_it_may(start: int) -> None:
    moved = 0
    for seed in range(start, start + 25):
        play = Play(seed)
        play.run()
        cluster = play.cluster
        assert cluster.attempts == dict.fromkeys(play.options, 1), seed
        assert set(cluster.client("ann").status.values()) == {"finished"}, cluster.describe()
        assert cluster.core.state.steals.pending == {}
        for entry in cluster.core.state.story.all():
            options = play.options[entry.key]
            if entry.finish == "processing" and options.workers and not options.allow_other_workers:
                assert entry.worker in options.workers, (seed, entry)
        moved += cluster.core.state.steals.confirmed
    assert moved > 25
