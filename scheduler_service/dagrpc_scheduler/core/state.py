"""Everything that the scheduler knows, and the few things that are done to it from everywhere."""

from __future__ import annotations

from collections import OrderedDict, deque
from functools import partial
from typing import Any

from dagrpc._common.keys import prefix_name
from dagrpc_scheduler.core.config import CoreConfig
from dagrpc_scheduler.core.fair_queue import FairQueue
from dagrpc_scheduler.core.instructions import FreeKeys, Instruction
from dagrpc_scheduler.core.load_index import LoadIndex, fullness_of, load_of
from dagrpc_scheduler.core.model import (
    AllowedWorkers,
    ClientState,
    GraphRecord,
    RemovedWorker,
    StateName,
    TaskGroup,
    TaskPrefix,
    TaskState,
    WorkerState,
)
from dagrpc_scheduler.core.shared_blobs import SharedBlobRegistry
from dagrpc_scheduler.core.spans import SpanRegistry
from dagrpc_scheduler.core.steal_table import StealTable
from dagrpc_scheduler.core.story import Story
from dagrpc_scheduler.core.task_queue import TaskQueue


class SchedulerState:
    """Facts about tasks, workers and clients, and what the current event has led to so far."""

    __slots__ = (
        "aliases",
        "allowed_cache",
        "balance_due",
        "by_free_slots",
        "by_load",
        "cancelled",
        "clients",
        "complete_graphs",
        "config",
        "fair",
        "generation",
        "generation_start",
        "groups",
        "hosts",
        "idle_prefixes",
        "instructions",
        "interrupting",
        "loss_reasons",
        "no_workers_since",
        "now",
        "open_free_batches",
        "orphaned_scatters",
        "payload",
        "pending_scatters",
        "prefixes",
        "queue",
        "ready",
        "recommendations",
        "refresh",
        "removed_workers",
        "replicated",
        "run_id",
        "running",
        "runs",
        "shared_blobs",
        "spans",
        "steals",
        "stimulus",
        "story",
        "tasks",
        "total_nthreads",
        "uncomputable",
        "unknown_keys",
        "unrunnable",
        "workers",
    )

    def __init__(self, config: CoreConfig) -> None:
        """Make the state of a scheduler that nobody has connected to."""
        self.config = config

        self.tasks: dict[str, TaskState] = {}
        """Live tasks by key."""
        self.groups: dict[str, TaskGroup] = {}
        self.prefixes: dict[str, TaskPrefix] = {}
        self.idle_prefixes: OrderedDict[str, TaskPrefix] = OrderedDict()
        """Those without tasks, the one that was idle longest first."""
        self.clients: dict[str, ClientState] = {}
        self.fair = FairQueue(self.clients, config.fair_share_weights) if config.fair_share else None
        """The queue, if clients share the cluster fairly."""
        self.queue: TaskQueue | FairQueue = self.fair or TaskQueue()
        """Tasks in state queued."""
        self.unrunnable: dict[TaskState, float] = {}
        """Tasks in state no-worker, and since when."""
        self.pending_scatters: dict[TaskState, dict[ClientState, set[str]]] = {}
        """Data that has not arrived yet, who is about to put it on workers, and on which; empty: not known."""
        self.orphaned_scatters: dict[tuple[TaskState, ClientState], float] = {}
        """Announcements for workers of which all have left, and since when. Some are over, or made anew."""
        self.unknown_keys: dict[str, dict[ClientState, float]] = {}
        """Keys without tasks that clients want, and since when they do."""
        self.replicated: dict[TaskState, None] = {}
        """Tasks whose result more than one worker holds."""
        self.shared_blobs = SharedBlobRegistry()
        self.spans = SpanRegistry()
        self.story = Story(config.story_length)
        self.steals = StealTable()
        """Tasks that workers were asked to give back."""

        self.workers: dict[str, WorkerState] = {}
        """Workers by address."""
        self.loss_reasons: OrderedDict[str, str] = OrderedDict()
        """Why the last workers that were lost are gone, by address, the one that was lost first first."""
        self.running: dict[WorkerState, None] = {}
        """Those that are given tasks."""
        self.no_workers_since = 0.0
        """When the last of those went; means nothing while there are some."""
        self.runs: dict[int, TaskState] = {}
        """Tasks in state processing by their latest assignments: reports find them here, among few, not among all."""
        self.total_nthreads = 0
        """Threads of those."""
        self.by_load = LoadIndex(load_of)
        """Those, by how much they have to do."""
        self.by_free_slots = LoadIndex(partial(fullness_of, lookahead_seconds=config.lookahead_seconds))
        """Those, by how little room they have for queued tasks."""
        self.removed_workers: dict[bytes, RemovedWorker] = {}
        """What workers had that were removed and may come back, by their identities; the oldest first."""
        self.aliases: dict[str, WorkerState] = {}
        """Workers by name."""
        self.hosts: dict[str, dict[WorkerState, None]] = {}
        """Workers by host."""
        self.allowed_cache: dict[int, AllowedWorkers] = {}
        """Running workers that options allow, by identity of the options; emptied when workers change."""

        self.generation = 0
        """Number of the latest generation of submissions."""
        self.generation_start = float("-inf")
        """When it began."""
        self.run_id = 0
        """The latest that was given to an assignment."""

        self.now = 0.0
        """When the current event happened."""
        self.stimulus = ""
        """What led to it."""
        self.payload: Any = None
        """The result that came with it."""
        self.balance_due = False
        """Whether a worker came, or can do more, so that it may help others."""
        self.recommendations: deque[tuple[TaskState, StateName]] = deque()
        """Transitions to try, in order."""
        self.ready: list[TaskState] = []
        """Waiting tasks that nothing is missing for, to be placed."""
        self.complete_graphs: list[GraphRecord] = []
        """Graphs whose last part has come; their pins go once the tasks have settled."""
        self.refresh: dict[WorkerState, dict[TaskState, None]] = {}
        """Workers that are to be told who holds what now."""
        self.uncomputable: dict[TaskState, str] = {}
        """What can never be computed because data is lost, and why. Empty between events."""
        self.cancelled: dict[TaskState, TaskState] = {}
        """Tasks that were cancelled by the current event, and on account of which."""
        self.interrupting = False
        """Whether what the current event has no more use for is to be broken off on the workers."""
        self.instructions: list[Instruction] = []
        self.open_free_batches: list[WorkerState] = []
        """Workers that may have a `FreeKeys` which can still be added to."""

    def recommend(self, task: TaskState, finish: StateName) -> None:
        """Have a transition tried once the current one is over."""
        self.recommendations.append((task, finish))

    def free(self, worker: WorkerState, key: str) -> None:
        """Tell a worker to drop a result or a task.

        All keys go into one effect, unless the worker was told something else in between, which must not be overtaken:
        a key may be freed and computed again.
        """
        keys = worker.free_batch
        if keys is None:
            keys = worker.free_batch = []
            self.open_free_batches.append(worker)
            self.instructions.append(FreeKeys(worker.address, keys))
        keys.append(key)

    def group(self, name: str) -> TaskGroup:
        """Return the group of this name; make it if there is none."""
        group = self.groups.get(name)
        if group is None:
            label = prefix_name(name)
            prefix = self.prefixes.get(label)
            if prefix is None:
                duration = self.config.default_task_durations.get(label, -1.0)
                prefix = self.prefixes[label] = TaskPrefix(label, duration)
            elif not prefix.groups:
                del self.idle_prefixes[label]
            prefix.groups += 1
            group = self.groups[name] = TaskGroup(name, prefix)
        return group

    def drop_group(self, group: TaskGroup) -> None:
        """Drop a group whose last task is gone. What its prefix has learned is kept for a while."""
        del self.groups[group.name]
        # A group refers to others only while it lives, lest a chain of them grows for ever.
        group.dependencies = None
        group.last_worker = None
        prefix = group.prefix
        prefix.groups -= 1
        if not prefix.groups:
            self.idle_prefixes[prefix.name] = prefix
            if len(self.idle_prefixes) > self.config.idle_prefixes:
                name, _ = self.idle_prefixes.popitem(last=False)
                del self.prefixes[name]
