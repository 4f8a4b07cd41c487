"""Views: objects that show objects of the core as they are now."""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from dagrpc_scheduler.core.machine import SchedulerCore
from dagrpc_scheduler.shell.plugins.scheduler_plugins import SchedulerPlugins
from dagrpc_scheduler.shell.sessions.connected_peers import ConnectedPeers

if TYPE_CHECKING:
    from typing import Self

V = TypeVar("V")


@dataclass(slots=True)
class ViewSource:
    """The parts of a scheduler that views read."""

    core: SchedulerCore
    peers: ConnectedPeers
    plugins: SchedulerPlugins
    """They have the metadata of tasks."""


class View:
    """Shows an object of the core as it is now. Two views of the same object are equal."""

    __slots__ = ("_of", "_source")

    def __init__(self, source: ViewSource, of: Any) -> None:
        self._source = source
        self._of = of

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other._of is self._of

    def __hash__(self) -> int:
        return hash(id(self._of))


class Attribute(Generic[V]):
    """A read-only attribute: what an object has at a dotted path."""

    def __init__(self, path: str, doc: str) -> None:
        self._read = attrgetter(path)
        self.__doc__ = doc

    @overload
    def __get__(self, instance: None, owner: type[Any]) -> Self: ...

    @overload
    def __get__(self, instance: object, owner: type[Any]) -> V: ...

    def __get__(self, instance: object | None, owner: type[Any]) -> Self | V:
        if instance is None:
            return self
        value: V = self._read(instance)
        return value


class Shown(Attribute[V]):
    """A read-only attribute of a view: what the core's object has at a dotted path."""

    def __init__(self, path: str, doc: str) -> None:
        super().__init__(f"_of.{path}", doc)
