"""Events."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from dagrpc._client.coordination_client import Request
from dagrpc._client.submission_options import Duration
from dagrpc._client.waiting import Operation
from dagrpc.coordination._base import Primitive, new_name, wait_seconds

__all__ = ["Event"]


class Event(Primitive):
    """A flag that clients and tasks can set, clear and wait for. At first it is not set.

    Parameters
    ----------
    name : str, optional
        Name of the event; by default a new name.
    client : Client, optional
        The client to use; by default the current one.

    Examples
    --------
    >>> ready = Event("ready")
    >>> future = client.submit(lambda: Event("ready").wait())
    >>> ready.set()
    >>> future.result()
    True
    """

    def __init__(self, name: Hashable | None = None, client: Any = None) -> None:
        self._restore(new_name("event") if name is None else name)
        self._bind(client)

    def _restore(self, name: Hashable) -> None:
        self.name = name

    def set(self) -> Any:
        """Set the event, which ends all waits for it.

        Examples
        --------
        >>> event = Event("ready")
        >>> event.set()
        >>> event.is_set()
        True
        """
        return self._core.run(self._set())

    def clear(self) -> Any:
        """Clear the event: later calls of `wait` wait until it is set again.

        Examples
        --------
        >>> event = Event("ready")
        >>> event.set()
        >>> event.clear()
        >>> event.is_set()
        False
        """
        return self._core.run(self._clear())

    def is_set(self) -> Any:
        """Return whether the event is set.

        Examples
        --------
        >>> Event().is_set()
        False
        """
        return self._core.run(self._wait(0.0))

    def wait(self, timeout: Duration = None) -> Any:
        """Wait until the event is set.

        Parameters
        ----------
        timeout : number, str or timedelta, optional
            How long to wait; for ever by default.

        Returns
        -------
        bool
            Whether it was set in time.

        Examples
        --------
        >>> event = Event()
        >>> event.wait(timeout="10 ms")
        False
        >>> event.set()
        >>> event.wait()
        True
        """
        return self._core.run(self._wait(wait_seconds(timeout)))

    # --- operations ----------------------------------------------------------------------------------------------

    def _set(self) -> Operation[None]:
        message = self._message()
        message.set_event.SetInParent()
        yield Request(self._core.session.coordination, message)

    def _clear(self) -> Operation[None]:
        message = self._message()
        message.clear_event.SetInParent()
        yield Request(self._core.session.coordination, message)

    def _wait(self, timeout: float | None) -> Operation[bool]:
        message = self._message(timeout)
        message.wait_event.SetInParent()
        answer = yield Request(self._core.session.coordination, message)
        return bool(answer.done)
