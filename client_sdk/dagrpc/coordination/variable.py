"""Variables."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from dagrpc._client.coordination_client import Request
from dagrpc._client.submission_options import Duration
from dagrpc._client.waiting import Operation
from dagrpc.coordination._base import Primitive, new_name, wait_seconds
from dagrpc.coordination._values import await_known, check_alive, decode, encode

__all__ = ["Variable"]


class Variable(Primitive):
    """A future or small data that clients and tasks can read and set.

    A future in the variable keeps its result on the cluster, also when the client that set it is gone. All values
    pass through the scheduler: large data should be scattered, and the variable be set to the future.

    Parameters
    ----------
    name : str, optional
        Name of the variable; by default a new name.
    client : Client, optional
        The client to use; by default the current one.
    maxsize : int
        Accepted for compatibility.

    Examples
    --------
    >>> variable = Variable("model")
    >>> variable.set(client.submit(sum, [1, 2]))
    >>> variable.get().result()
    3
    """

    def __init__(self, name: Hashable | None = None, client: Any = None, maxsize: int = 0) -> None:
        self._restore(new_name("variable") if name is None else name)
        self._bind(client)

    def _restore(self, name: Hashable) -> None:
        self.name = name

    def set(self, value: Any, timeout: Duration = "30 s", **kwargs: Any) -> Any:
        """Set the variable.

        Parameters
        ----------
        value : Future or anything that can be pickled
            The value.
        timeout : number, str or timedelta, optional
            How long to wait for the scheduler.

        Raises
        ------
        TimeoutError
            If the scheduler did not answer in time, or a future was cancelled.

        Examples
        --------
        >>> variable = Variable("version")
        >>> variable.set(1)
        >>> variable.set(2)
        >>> variable.get()
        2
        """
        return self._core.run(self._set(value, wait_seconds(timeout)))

    def get(self, timeout: Duration = None, **kwargs: Any) -> Any:
        """Wait until the variable is set, and return its value.

        Parameters
        ----------
        timeout : number, str or timedelta, optional
            How long to wait for it; for ever by default.

        Raises
        ------
        TimeoutError
            If it was not set in time.

        Examples
        --------
        >>> Variable("unset").get(timeout="10 ms")
        Traceback (most recent call last):
            ...
        TimeoutError: ...
        """
        return self._core.run(self._get(wait_seconds(timeout)))

    def delete(self) -> Any:
        """Unset the variable, without waiting for the scheduler.

        Examples
        --------
        >>> variable = Variable("version")
        >>> variable.set(1)
        >>> variable.delete()
        """
        message = self._message()
        message.delete_variable.SetInParent()
        self._core.session.coordination.tell(message)
        return self._core.completed()

    # --- operations ----------------------------------------------------------------------------------------------

    def _set(self, value: Any, timeout: float | None) -> Operation[None]:
        core = self._core
        message = self._message()
        if futures := encode(value, message.set_variable.value):
            check_alive(futures)
            yield from await_known(core, futures)
        yield Request(core.session.coordination, message, timeout=timeout)

    def _get(self, timeout: float | None) -> Operation[Any]:
        core = self._core
        message = self._message(timeout)
        message.get_variable.SetInParent()
        request = Request(core.session.coordination, message)
        answer = yield request
        if not answer.done:
            raise TimeoutError(f"Variable {self.name!r} was not set within {timeout:g} s")
        (value,) = yield from decode(core, request)
        return value
