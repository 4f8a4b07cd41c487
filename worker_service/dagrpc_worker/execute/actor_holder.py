"""The holder of those results of tasks that are actors, as the runner sees it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol


class ActorHolder(Protocol):
    """Holds the results that are actors."""

    instances: dict[str, Any]
    """Actors by key."""

    def adopt(self, key: str, instance: Any) -> Any:
        """Hold an actor and return the proxy that is stored as the task's result."""

    def as_argument(self, value: Any, hold: bool) -> Any:
        """Return the argument that a task gets for `value`: for a proxy of an actor, a proxy of the task's own."""

    def drop(self, keys: Iterable[str]) -> None:
        """Release actors."""
