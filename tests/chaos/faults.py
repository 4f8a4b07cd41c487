"""Injects faults, by signals to processes and by proxies between connections, and ends each fault in time."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections import Counter
from collections.abc import Callable

from tests.chaos.clients import ClientHost
from tests.chaos.cluster import Cluster
from tests.chaos.plan import Fault
from tests.support.tcp_proxy import TcpProxy

_DELAYS = (0.02, 0.05, 0.2)


class Network:
    """The proxies of a run, by the name of their connections, such as ``of worker-1`` or ``to worker-1``."""

    def __init__(self) -> None:
        self._proxies: dict[str, TcpProxy] = {}

    def through(self, name: str, address: str) -> str:
        """Return the address of the proxy `name` for an address. An existing proxy of that name gets the new target."""
        proxy = self._proxies.get(name)
        if proxy is None:
            proxy = self._proxies[name] = TcpProxy(address)
        proxy.target = address
        return proxy.address

    def of(self, *names: str) -> list[TcpProxy]:
        """Return proxies by name."""
        return [self._proxies[name] for name in names]

    def restore(self) -> None:
        """End the faults of all proxies."""
        for proxy in self._proxies.values():
            proxy.restore()

    def close(self) -> None:
        """Close all proxies."""
        for proxy in self._proxies.values():
            proxy.close()


class Injector:
    """Injects the faults of a plan.

    Parameters
    ----------
    cluster : Cluster
        The cluster of the workers and nannies.
    clients : list of ClientHost
        The clients.
    network : Network
        The proxies of all connections.
    log : function
        Receives a line of text for each action.
    injected : Counter
        Counts the faults by kind and target.
    """

    def __init__(
        self,
        cluster: Cluster,
        clients: list[ClientHost],
        network: Network,
        log: Callable[[str], None],
        injected: Counter[str],
    ) -> None:
        self._cluster = cluster
        self._clients = clients
        self._network = network
        self._log = log
        self._mending: list[tuple[float, str, Callable[[], object]]] = []
        self._injected = injected

    def inject(self, fault: Fault) -> None:
        """Inject a fault, and schedule its end."""
        if fault.kind in ("kill", "stop"):
            found = self._process_for(fault)
            if found is None:
                self._log(f"{fault}: none is there")
                return
            number, pid = found
            self._log(f"{fault}: {fault.target}-{number}, pid {pid}")
            self._signal(fault, number, pid)
        else:
            number = fault.which % self._count(fault.target)
            self._log(f"{fault}: {fault.target}-{number}")
            self._disturb(fault, number)
        self._injected[f"{fault.kind} {fault.target}"] += 1

    def mend(self, now: float | None) -> None:
        """End the faults that are due; None as `now` ends all faults."""
        due = [entry for entry in self._mending if now is None or entry[0] <= now]
        self._mending = [entry for entry in self._mending if entry not in due]
        for _, name, mend in due:
            self._log(f"  over: {name}")
            mend()
        if now is None:
            self._network.restore()

    def _count(self, target: str) -> int:
        return len(self._clients) if target == "client" else len(self._cluster.hosts)

    def _process_for(self, fault: Fault) -> tuple[int, int] | None:
        """Return the number and the process id of a running target, or None if none is running."""
        count = self._count(fault.target)
        for number in range(fault.which, fault.which + count):
            if (pid := self._pid(fault.target, number % count)) is not None:
                return number % count, pid
        return None

    def _pid(self, target: str, number: int) -> int | None:
        if target == "worker":
            return self._cluster.hosts[number].worker_pid()
        program = self._clients[number].program if target == "client" else self._cluster.hosts[number].nanny
        return program.pid if program.alive else None

    def _signal(self, fault: Fault, number: int, pid: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL if fault.kind == "kill" else signal.SIGSTOP)
        if fault.kind == "stop":
            self._mend_later(fault, lambda: _go_on(pid))
        elif fault.target == "client":
            self._clients[number].program.process.wait(10)
            self._clients[number].replace()

    def _disturb(self, fault: Fault, number: int) -> None:
        names = {
            "client": [f"of client-{number}"],
            # A nanny and its worker connect to the scheduler through the same proxy.
            "nanny": [f"of worker-{number}"],
            "worker": [f"of worker-{number}", f"to worker-{number}"],
        }[fault.target]
        proxies = self._network.of(*names)

        def restore() -> None:
            for proxy in proxies:
                proxy.restore()

        for proxy in proxies:
            if fault.kind == "delay":
                proxy.delay(_DELAYS[fault.which % len(_DELAYS)])
            elif fault.silent:
                proxy.blackhole()
            elif fault.seconds < 1:
                proxy.drop()
            else:
                proxy.cut()
        self._mend_later(fault, restore)

    def _mend_later(self, fault: Fault, mend: Callable[[], object]) -> None:
        self._mending.append((time.monotonic() + fault.seconds, str(fault), mend))


def _go_on(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)
