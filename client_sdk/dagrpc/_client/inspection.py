"""The part of a client that looks into what the cluster does."""

from __future__ import annotations

import math
from typing import Any

from dagrpc._client import diagnostics
from dagrpc._client.administration import Administration
from dagrpc._client.options import Workers
from dagrpc._graph.lower import checked_key
from dagrpc.v1 import diagnostics_service_pb2 as pb


class Inspection(Administration):
    """What tasks are at, what time is spent on, what ran where. See `Client`."""

    def call_stack(self, futures: Any = None, keys: Any = None) -> Any:
        r"""Return where tasks are that run now.

        Parameters
        ----------
        futures : Future, collection or nested structure of futures, optional
            The tasks; those that do not run are left out. All that run by default.
        keys : list of keys, optional
            Likewise.

        Returns
        -------
        dict
            By worker and key: the frames of the task's own code, outermost first, as in a traceback.

        Raises
        ------
        KeyError
            If a key is not known to the cluster.

        Examples
        --------
        >>> client.call_stack()  # doctest: +SKIP
        {'127.0.0.1:40001': {'fit-5d7c...': ('  File "model.py", line 12, in fit\n\tfor step in range(steps):\n',)}}
        """
        wires = None
        if futures is not None or keys is not None:
            single = isinstance(keys, (str, bytes, int, float))
            wires = [checked_key(key) for key in ([keys] if single else keys or ())]
            if futures is not None:
                wires += self._wires(futures)
        return self._call(diagnostics.call_stacks(self._session, wires))

    def profile(
        self,
        key: str | None = None,
        start: float | None = None,
        stop: float | None = None,
        workers: Workers = None,
        merge_workers: bool = True,
        plot: bool | str = False,
        filename: str | None = None,
        server: bool = False,
        scheduler: bool = False,
    ) -> Any:
        """Return in which functions the tasks spent their time.

        Workers look at the call stacks of their tasks every 10 ms (``worker.profile.interval``) and count what they
        see. The setting ``worker.profile.enabled`` turns that off.

        Parameters
        ----------
        key : str, optional
            Only tasks whose keys begin with this name; all by default.
        start, stop : float, optional
            Only what was seen in this time, in seconds since the epoch.
        workers : str or iterable of str, optional
            Addresses, names or host names; all workers by default.
        merge_workers : bool
            Whether to return one profile rather than one for each worker.
        plot : bool or "save"
            Whether to return a figure, too, which a notebook shows; "save" writes it to a file.
        filename : str, optional
            Where to write the figure; ``dask-profile.html`` by default.
        server : bool
            Whether to return what the workers themselves did, in place of the tasks.
        scheduler : bool
            Whether to return what the scheduler did. It is looked at from the first such call on.

        Returns
        -------
        dict
            ``count`` (of samples), ``children`` by identifier, ``identifier`` and ``description``; each child is of
            the same form. With `plot` or `filename`, a pair of that and the figure.

        Examples
        --------
        >>> client.profile("fit")["count"]  # doctest: +SKIP
        1843
        """
        for name, moment in (("start", start), ("stop", stop)):
            if moment is not None and not (isinstance(moment, (int, float)) and math.isfinite(moment)):
                raise TypeError(f"{name} must be a number of seconds since the epoch, not {moment!r}")
        if plot or filename:
            raise NotImplementedError("Profiles cannot be drawn yet: leave plot and filename out")
        subject = pb.PROFILE_SUBJECT_TASKS
        if scheduler:
            subject = pb.PROFILE_SUBJECT_SCHEDULER
        elif server:
            subject = pb.PROFILE_SUBJECT_WORKER_LOOPS
        return self._call(
            diagnostics.profile(
                self._session,
                subject,
                "" if key is None else str(key),
                start or 0.0,
                stop or 0.0,
                workers,
                merge_workers,
            )
        )
