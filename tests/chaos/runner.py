"""Executes a run: starts a cluster and clients, injects the planned faults, and checks for leftovers at the end."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from tests.chaos import checks
from tests.chaos.clients import BOUND, ClientHost, Statistics
from tests.chaos.cluster import Cluster, Program
from tests.chaos.faults import Injector, Network
from tests.chaos.plan import ALL, draw

N_WORKERS = 3
N_CLIENTS = 2
_READY = 120.0
_TICK = 0.05
_LAST_LINES = 60


class ChaosFailure(AssertionError):
    """A run failed; the message has all that is known about the failure."""


@dataclass
class Report:
    """The result of a run: its faults and the work of its clients."""

    seed: int
    seconds: float
    faults: Counter[str] = field(default_factory=Counter)
    statistics: Statistics = field(default_factory=Statistics)


class Run:
    """A chaos run: clients work on a cluster while faults from a seeded plan occur.

    Parameters
    ----------
    seed : int
        The seed of the plan and the workloads.
    seconds : float
        The period in which faults occur.
    what : tuple of str
        The kinds of faults and their targets, such as ``kill worker``.
    directory : Path, optional
        The directory of the logs. By default, a temporary directory that is removed after a successful run.
    """

    def __init__(self, seed: int, seconds: float, what: tuple[str, ...] = ALL, directory: Path | None = None) -> None:
        self.seed, self.seconds, self.what = seed, seconds, what
        self._begun = time.monotonic()
        self._timeline: list[str] = []
        self._passing = directory is None
        self.directory = directory or Path(tempfile.mkdtemp(prefix="dagrpc-chaos-"))
        self.directory.mkdir(parents=True, exist_ok=True)
        self.report = Report(seed, seconds)
        """The faults and the work so far."""
        self._network = Network()
        self._clients: list[ClientHost] = []
        self._cluster: Cluster

    def execute(self) -> Report:
        """Execute the run and return its report.

        Raises
        ------
        ChaosFailure
            If an answer is wrong or lost, a process hangs, or the run leaves something behind.
        """
        try:
            self._cluster = Cluster(self.directory, N_WORKERS, self._network.through)
            try:
                return self._execute()
            finally:
                self._cluster.kill_all()
        finally:
            self._network.close()

    def _execute(self) -> Report:
        self._say(f"seed {self.seed}: {self.seconds:g} s of {', '.join(self.what)}; logs in {self.directory}")
        if left := checks.state_left(self._cluster, N_WORKERS):
            self._fail(["the cluster did not start", *left])
        before = checks.usage(self._cluster.scheduler.pid)
        self._clients = [
            ClientHost(number, self.seed, self.directory, self._start_client, self.report.statistics)
            for number in range(N_CLIENTS)
        ]
        self._wait_for_work()
        injector = Injector(self._cluster, self._clients, self._network, self._say, self.report.faults)
        self._break_things(injector)
        self._wind_down(injector)
        # The clients' connections to the scheduler are closed, since their processes have ended.
        wrong = [*checks.state_left(self._cluster, N_WORKERS), *checks.scheduler_left(self._cluster, before)]
        if not wrong:
            self._say("nothing is left but the cluster: it is asked to end")
            wrong = checks.ending(self._cluster)
        if wrong:
            self._fail(wrong)
        self._say("all is well")
        if self._passing:
            shutil.rmtree(self.directory)
        return self.report

    def _start_client(self, name: str, *arguments: str) -> Program:
        address = self._network.through(f"of {name}", self._cluster.address)
        return self._cluster.program(name, "tests.chaos.client_process", address, *arguments)

    # --- phases --------------------------------------------------------------------------------------------------

    def _wait_for_work(self) -> None:
        """Wait until every client has begun its first workload."""
        deadline = time.monotonic() + _READY
        while not all(client.at_work for client in self._clients):
            self._look()
            if time.monotonic() > deadline:
                self._fail([f"the clients did not begin within {_READY:g} s"])
            time.sleep(_TICK)

    def _break_things(self, injector: Injector) -> None:
        plan = draw(self.seed, self.seconds, self.what)
        begun = time.monotonic()
        while (now := time.monotonic() - begun) < self.seconds:
            while plan and plan[0].at <= now:
                injector.inject(plan.pop(0))
            injector.mend(time.monotonic())
            self._look()
            time.sleep(_TICK)
        # On a busy machine, some faults are still due after the planned time.
        for fault in plan:
            injector.inject(fault)

    def _wind_down(self, injector: Injector) -> None:
        self._say("no more faults")
        injector.mend(None)
        for client in self._clients:
            client.finish()
        deadline = time.monotonic() + 2 * BOUND
        while any(client.program.alive for client in self._clients):
            self._look()
            if time.monotonic() > deadline:
                self._fail(["the clients did not end"])
            time.sleep(_TICK)
        self._look()
        for client in self._clients:
            self._check_client(client)

    def _check_client(self, client: ClientHost) -> None:
        code = client.program.process.returncode
        if code != 0 or client.left is None:
            self._fail([f"{client.name} ended with {code}:\n{_last_lines(client.program.log)}"])
        before, after = (client.left[when] for when in ("before", "after"))
        if wrong := checks.too_much(f"{client.name} after its client left", tuple(before), tuple(after)):
            self._fail([*wrong, f"its threads: {client.left['threads']}"])

    def _look(self) -> None:
        for done in self._cluster.look_after():
            self._say(f"  {done}")
        if not self._cluster.scheduler.alive:
            self._fail([f"the scheduler ended:\n{_last_lines(self._cluster.scheduler.log)}"])
        for client in self._clients:
            wrong = client.look()
            if not wrong and not client.program.alive and client.program.process.returncode != 0:
                wrong = [f"{client.name} ended with {client.program.process.returncode}"]
            if wrong:
                self._fail([*wrong, _last_lines(client.program.log)])

    # --- telling -------------------------------------------------------------------------------------------------

    def _say(self, text: str) -> None:
        line = f"{time.monotonic() - self._begun:7.2f}  {text}"
        self._timeline.append(line)
        with (self.directory / "timeline").open("a") as file:
            file.write(f"{time.strftime('%H:%M:%S')} {line}\n")

    def _fail(self, wrong: list[str]) -> NoReturn:
        stacks = self._cluster.dump_stacks()
        (self.directory / "stacks.txt").write_text(stacks)
        what = "" if self.what == ALL else f" --what '{','.join(self.what)}'"
        again = f"python -m tests.chaos --seed {self.seed} --seconds {self.seconds:g}{what}"
        logs = [f"--- {program.name}\n{_last_lines(program.log)}" for program in self._cluster.programs()]
        parts = [
            "\n".join(wrong),
            f"Again: {again}",
            "Timeline:\n" + "\n".join(self._timeline),
            "Logs:\n" + "\n".join(logs),
            f"Stacks:\n{stacks}",
        ]
        text = "\n\n".join(parts)
        (self.directory / "failure.txt").write_text(text)
        raise ChaosFailure(text)


def _last_lines(path: Path) -> str:
    return "\n".join(path.read_text(errors="replace").splitlines()[-_LAST_LINES:])
