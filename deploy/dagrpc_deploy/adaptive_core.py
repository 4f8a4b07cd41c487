"""AdaptiveCore: decides step by step how a cluster gets from its present size to the wanted one."""

from __future__ import annotations

import inspect
import logging
import math
from collections import deque
from collections.abc import Collection, Hashable, Iterable
from contextvars import ContextVar
from itertools import islice
from time import time
from typing import Any

logger = logging.getLogger("dagrpc.adaptive")

_LOG_LENGTH = 1_000

acting: ContextVar[bool] = ContextVar("acting", default=False)
"""Whether adaptive scaling, and not the user, calls the running code."""


async def settled(value: Any) -> Any:
    """Return a value, awaited if it is an awaitable: methods that users override may be either."""
    return await value if inspect.isawaitable(value) else value


class AdaptiveCore:
    """Scales a cluster up at once, and down when it was too large several times in a row.

    Subclasses define the present size (`plan`, `requested`, `observed`), the wanted size (`target`) and the steps
    (`scale_up`, `scale_down`, `workers_to_close`). Each method may be a coroutine function.

    Parameters
    ----------
    minimum, maximum : int or inf
        Bounds of the size.
    wait_count : int
        How many times in a row a worker must be superfluous before it is retired.

    Raises
    ------
    ValueError
        If a bound is impossible.

    Examples
    --------
    >>> class Machines(AdaptiveCore):
    ...     observed = plan = requested = ()
    ...
    ...     async def target(self):
    ...         return 3
    ...
    ...     async def scale_up(self, n):
    ...         self.observed = self.plan = self.requested = tuple(range(n))
    ...
    ...     async def scale_down(self, workers):
    ...         self.observed = self.plan = self.requested = tuple(set(self.observed) - set(workers))
    >>> machines = Machines(maximum=2)
    >>> await machines.safe_target()
    2
    >>> await machines.recommendations(2)
    {'status': 'up', 'n': 2}
    >>> await machines.adapt()
    >>> machines.observed
    (0, 1)
    >>> await machines.workers_to_close(1)
    [1]
    >>> machines.stop()
    """

    plan: Collection[Hashable] = frozenset()
    """Names of the workers that the cluster should have."""
    requested: Collection[Hashable] = frozenset()
    """Names of the workers that were started."""
    observed: Collection[Hashable] = frozenset()
    """Names of the workers that the scheduler knows."""

    def __init__(self, minimum: int = 0, maximum: int | float = math.inf, wait_count: int = 3) -> None:
        if not isinstance(maximum, int) and maximum != math.inf:
            raise ValueError(f"maximum is {maximum!r}; it must be an integer or math.inf")
        if not isinstance(minimum, int) or minimum < 0:
            raise ValueError(f"minimum is {minimum!r}; it must be an integer of at least 0")
        if minimum > maximum:
            raise ValueError(f"minimum is {minimum}, more than the maximum of {maximum}")
        self.minimum = minimum
        self.maximum = maximum
        self.wait_count = wait_count
        self.close_counts: dict[Hashable, int] = {}
        """How many times in a row each worker was superfluous."""
        self.log: deque[tuple[float, dict[str, Any]]] = deque(maxlen=_LOG_LENGTH)
        """Decisions with their times."""
        self.state = "running"
        """``running`` or ``stopped``."""
        self._adapting = False

    # --- hooks for subclasses ---

    async def target(self) -> int:
        """Return the wanted number of workers, before the bounds apply."""
        raise NotImplementedError

    async def workers_to_close(self, target: int) -> Iterable[Hashable]:
        """Return names of workers to retire so that `target` are left."""
        return list(self.observed)[target:]

    async def scale_up(self, n: int) -> None:
        """Start workers until there are `n`."""
        raise NotImplementedError

    async def scale_down(self, workers: Iterable[Hashable]) -> None:
        """Retire workers."""
        raise NotImplementedError

    # --- deciding ---

    async def safe_target(self) -> int:
        """Return `target()` within the bounds."""
        wanted = await settled(self.target())
        return int(max(self.minimum, min(self.maximum, wanted)))

    async def recommendations(self, target: int) -> dict[str, Any]:
        """Return the step towards `target` workers.

        Returns
        -------
        dict
            ``{"status": "same"}``, ``{"status": "up", "n": ...}`` or ``{"status": "down", "workers": [...]}``.
        """
        plan, requested, observed = set(self.plan), set(self.requested), set(self.observed)
        if target >= len(plan):
            self.close_counts.clear()
            return {"status": "same"} if target == len(plan) else {"status": "up", "n": target}
        # Workers that have not joined hold no results.
        superfluous = list(islice(requested - observed, len(plan) - target))
        if len(plan) - len(superfluous) > target:
            chosen = await settled(self.workers_to_close(target))
            superfluous += [name for name in chosen if name not in superfluous]
        self.close_counts = {name: self.close_counts.get(name, 0) + 1 for name in superfluous}
        ripe = [name for name in superfluous if self.close_counts[name] >= self.wait_count]
        if not ripe:
            return {"status": "same"}
        for name in ripe:
            del self.close_counts[name]
        return {"status": "down", "workers": ripe}

    async def adapt(self) -> None:
        """Decide once, and act."""
        if self._adapting:
            # The latest step is still under way.
            return
        self._adapting = True
        token = acting.set(True)
        try:
            decision = await settled(self.recommendations(await settled(self.safe_target())))
            if decision["status"] == "same":
                return
            self.log.append((time(), dict(decision)))
            status = decision.pop("status")
            logger.info("%s: scale %s %s", type(self).__name__, status, decision)
            await settled(self.scale_up(**decision) if status == "up" else self.scale_down(**decision))
        except OSError as error:
            if self.state == "stopped":
                return
            logger.warning("%s cannot reach the scheduler and will try again: %s", type(self).__name__, error)
        finally:
            self._adapting = False
            acting.reset(token)

    def stop(self, reason: str = "unknown") -> None:
        """Stop scaling."""
        if self.state != "stopped":
            logger.info("%s stops: %s", type(self).__name__, reason)
        self.state = "stopped"
