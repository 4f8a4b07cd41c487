"""A coordinator with a clock that tests move, and clients named by letters."""

from __future__ import annotations

from dagrpc_scheduler.coordination.coordinator import Coordinator
from dagrpc_scheduler.coordination.operations import Answer, Operation, Outcome, Value
from dagrpc_scheduler.core.events import ClientAdded, ClientRemoved, Event, KeysReleased, KeysWanted


class Bench:
    """Handles operations, sorts their outcomes, and tracks the held results."""

    def __init__(self, lease_timeout: float | None = 30.0) -> None:
        self.coordinator = Coordinator(lease_timeout)
        self.now = 0.0
        self.answers: dict[tuple[str, int], Answer] = {}
        self.held: dict[str, set[str]] = {}
        self._last = 0

    def ask(self, client: str, operation: Operation, timeout: float | None = None) -> int:
        """Send an operation and return the request's number."""
        self._last += 1
        number = self._last
        self.take(self.coordinator.handle(client, number, timeout, operation, self.now))
        return number

    def do(self, client: str, operation: Operation, timeout: float | None = None) -> Answer:
        """Send an operation that is answered at once."""
        return self.answers.pop((client, self.ask(client, operation, timeout)))

    def waits(self, client: str, number: int) -> bool:
        """Tell whether a request has no answer yet."""
        return (client, number) not in self.answers

    def answered(self, client: str, number: int) -> Answer:
        """Return the answer to a request."""
        return self.answers[client, number]

    def gone(self, client: str) -> None:
        """End a client's session."""
        self.take(self.coordinator.client_gone(client, self.now))

    def move(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
        deadline = self.coordinator.next_deadline()
        if deadline is not None and deadline <= self.now:
            self.take(self.coordinator.advance(self.now))

    def take(self, outcomes: list[Outcome]) -> None:
        for outcome in outcomes:
            if isinstance(outcome, Answer):
                name = (outcome.client, outcome.request)
                assert name not in self.answers, "answered twice"
                self.answers[name] = outcome
            else:
                self._follow(outcome)

    def _follow(self, event: Event) -> None:
        match event:
            case ClientAdded(holder):
                assert holder not in self.held
                self.held[holder] = set()
            case KeysWanted(holder, keys):
                self.held[holder] |= set(keys)
            case KeysReleased(holder, keys):
                assert set(keys) <= self.held[holder]
                self.held[holder] -= set(keys)
            case ClientRemoved(holder):
                del self.held[holder]
            case _:
                raise AssertionError(event)


def future(key: str) -> Value:
    """Return a value that is a future."""
    return Value(f"future {key}".encode(), (key,))


def data(text: str) -> Value:
    """Return a value that is plain data."""
    return Value(text.encode())
