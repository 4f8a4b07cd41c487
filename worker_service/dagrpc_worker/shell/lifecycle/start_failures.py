"""Exceptions for workers and nannies that do not start: of the same types for all causes, chained from the cause."""

from __future__ import annotations

import logging

from dagrpc.exceptions import CommClosedError

logger = logging.getLogger("dagrpc.worker")


def start_failure(who: str, error: Exception, death_timeout: float | None) -> Exception:
    """Return the exception to raise for a worker or nanny that did not start because of `error`.

    Parameters
    ----------
    who : str
        ``Worker`` or ``Nanny``.
    death_timeout : float, optional
        Seconds that it looks for the scheduler.

    Examples
    --------
    >>> start_failure("Worker", ValueError("no licence"), None)
    RuntimeError('Worker failed to start: no licence')
    >>> start_failure("Worker", CommClosedError("nobody answers"), 2.0)
    TimeoutError('Worker start timed out after 2 s: nobody answers')
    """
    if isinstance(error, TimeoutError) or (isinstance(error, CommClosedError) and death_timeout is not None):
        after = f" after {death_timeout:g} s" if death_timeout is not None else ""
        return TimeoutError(f"{who} start timed out{after}: {error}")
    return RuntimeError(f"{who} failed to start: {error}")


def pickled(error: BaseException) -> bytes:
    """Return an exception pickled for another process; empty if it cannot be pickled."""
    import cloudpickle

    try:
        data: bytes = cloudpickle.dumps(error)
    except Exception:
        logger.debug("%r cannot be pickled", error, exc_info=True)
        return b""
    return data


def unpickled(data: bytes, text: str) -> Exception:
    """Return the exception that another process sent, or a RuntimeError with `text` if it cannot be unpickled."""
    import pickle

    try:
        error = pickle.loads(data) if data else None
    except Exception:
        logger.debug("An exception cannot be unpickled", exc_info=True)
        error = None
    return error if isinstance(error, Exception) else RuntimeError(text)
