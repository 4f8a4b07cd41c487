"""The state of the scheduler, and the operations on it that all handlers share."""

from __future__ import annotations

from collections import OrderedDict, deque
from functools import partial
from typing import Any

from dagrpc._common.keys import prefix_name
from dagrpc_scheduler.core.config import CoreConfig
from dagrpc_scheduler.core.instructions import FreeKeys, Instruction
from dagrpc_scheduler.core.load_index import LoadIndex, fullness_of, load_of
from dagrpc_scheduler.core.model import (
    AllowedWorkers,
    ClientState,
    ErredTask,
    GraphRecord,
    RemovedWorker,
    StateName,
    TaskGroup,
    TaskPrefix,
    TaskState,
    WorkerState,
)
from dagrpc_scheduler.core.policy import PlacementPolicy, QueuePolicy, ReadyQueue, StealingPolicy
from dagrpc_scheduler.core.shared_blobs import SharedBlobRegistry
from dagrpc_scheduler.core.spans import SpanRegistry
from dagrpc_scheduler.core.steal_table import StealTable
from dagrpc_scheduler.core.story import Story


class SchedulerState:
    """The facts about tasks, workers and clients, and the consequences of the current event so far."""

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
        "erred",
        "forgotten_tasks",
        "generation",
        "generation_start",
        "groups",
        "hosts",
        "idle_prefixes",
        "instructions",
        "interrupting",
        "killed_tasks",
        "known_everywhere",
        "loss_reasons",
        "lost_workers",
        "no_workers_since",
        "now",
        "open_free_batches",
        "orphaned_scatters",
        "payload",
        "pending_scatters",
        "placement",
        "prefixes",
        "queue",
        "queueing",
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
        "stealing",
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

    placement: PlacementPolicy
    """The three policies, and the queue of the second one, are set by `policies.choice.install_policies`."""
    queueing: QueuePolicy
    stealing: StealingPolicy
    queue: ReadyQueue
    """Tasks in state queued."""

    def __init__(self, config: CoreConfig) -> None:
        """Make the state of a scheduler without workers and clients."""
        self.config = config

        self.tasks: dict[str, TaskState] = {}
        """Live tasks by key."""
        self.groups: dict[str, TaskGroup] = {}
        self.prefixes: dict[str, TaskPrefix] = {}
        self.idle_prefixes: OrderedDict[str, TaskPrefix] = OrderedDict()
        """Prefixes without tasks, the one that has been idle longest first."""
        self.clients: dict[str, ClientState] = {}
        self.unrunnable: dict[TaskState, float] = {}
        """Tasks in state no-worker, and since when."""
        self.pending_scatters: dict[TaskState, dict[ClientState, set[str]]] = {}
        """Scattered data that has not arrived, with the uploading clients and their target workers (empty: unknown)."""
        self.orphaned_scatters: dict[tuple[TaskState, ClientState], float] = {}
        """Uploads whose target workers have all left, and since when. Some entries are out of date."""
        self.unknown_keys: dict[str, dict[ClientState, float]] = {}
        """Wanted keys without a task, with the clients that want them and since when."""
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
        """Why the latest lost workers were lost, by address, oldest first."""
        self.lost_workers = 0
        """Number of workers that left unexpectedly."""
        self.killed_tasks = 0
        """Number of tasks that were given up because workers died while they had them."""
        self.erred: deque[ErredTask] = deque(maxlen=config.erred_history)
        """The tasks that failed themselves lately, the latest last."""
        self.forgotten_tasks = 0
        """Number of tasks that were forgotten."""
        self.running: dict[WorkerState, None] = {}
        """Workers that are given tasks."""
        self.no_workers_since = 0.0
        """When the last running worker went; meaningless while there are running workers."""
        self.runs: dict[int, TaskState] = {}
        """Tasks in state processing by their run id: a lookup among few tasks instead of all."""
        self.total_nthreads = 0
        """Number of threads of the running workers."""
        self.by_load = LoadIndex(load_of)
        """Running workers that take code, by load."""
        self.by_free_slots = LoadIndex(partial(fullness_of, lookahead_seconds=config.lookahead_seconds))
        """Running workers that take code by free slots for queued tasks, the emptiest first."""
        self.removed_workers: dict[bytes, RemovedWorker] = {}
        """Removed workers that may reconnect, by identity, oldest first."""
        self.aliases: dict[str, WorkerState] = {}
        """Workers by name."""
        self.hosts: dict[str, dict[WorkerState, None]] = {}
        """Workers by host."""
        self.allowed_cache: dict[int, AllowedWorkers] = {}
        """Running workers that options allow, by identity of the options; cleared when workers change."""
        self.known_everywhere: dict[str, bool] = {}
        """Whether every running worker can run calls of a function, by name; cleared when workers change."""

        self.generation = 0
        """Number of the latest generation of submissions."""
        self.generation_start = float("-inf")
        """When the latest generation began."""
        self.run_id = 0
        """The latest run id that was given to an assignment."""

        self.now = 0.0
        """Time of the current event."""
        self.stimulus = ""
        """Cause of the current event."""
        self.payload: Any = None
        """The result that came with the current event."""
        self.balance_due = False
        """Whether a worker joined, or can do more, so that it may take over tasks of others."""
        self.recommendations: deque[tuple[TaskState, StateName]] = deque()
        """Transitions to try, in order."""
        self.ready: list[TaskState] = []
        """Waiting tasks with all dependencies in memory, to be placed."""
        self.complete_graphs: list[GraphRecord] = []
        """Graphs whose last part has arrived; they are unpinned when no transition is left."""
        self.refresh: dict[WorkerState, dict[TaskState, None]] = {}
        """Workers that must be told the current holders of results."""
        self.uncomputable: dict[TaskState, str] = {}
        """Lost data that cannot be recomputed, and why it is lost. Empty between events."""
        self.cancelled: dict[TaskState, TaskState] = {}
        """Tasks that the current event cancelled, each with the task on which it depends and that was cancelled."""
        self.interrupting = False
        """Whether workers interrupt the running tasks that the current event cancels."""
        self.instructions: list[Instruction] = []
        self.open_free_batches: list[WorkerState] = []
        """Workers that may have a `FreeKeys` to which keys can still be added."""

    def recommend(self, task: TaskState, finish: StateName) -> None:
        """Recommend a transition; it is tried after the current one."""
        self.recommendations.append((task, finish))

    def free(self, worker: WorkerState, key: str) -> None:
        """Tell a worker to drop a result or a task.

        All keys go into one instruction until another instruction for the worker follows, which must not be overtaken:
        a key may be freed and computed again.
        """
        keys = worker.free_batch
        if keys is None:
            keys = worker.free_batch = []
            self.open_free_batches.append(worker)
            self.instructions.append(FreeKeys(worker.address, keys))
        keys.append(key)

    def group(self, name: str) -> TaskGroup:
        """Return the group of this name; create it if it does not exist."""
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
        """Drop a group whose last task was forgotten; the averages of its prefix are kept for a while."""
        del self.groups[group.name]
        # Without this, chains of groups that refer to each other would grow for ever.
        group.dependencies = None
        group.last_worker = None
        prefix = group.prefix
        prefix.groups -= 1
        if not prefix.groups:
            self.idle_prefixes[prefix.name] = prefix
            if len(self.idle_prefixes) > self.config.idle_prefixes:
                name, _ = self.idle_prefixes.popitem(last=False)
                del self.prefixes[name]
