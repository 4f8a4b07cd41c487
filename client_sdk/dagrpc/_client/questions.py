"""The part of a client that asks what happened, and with which software."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from dask.utils import key_split

from dagrpc._client import admin, dumping, hardware, introspection_rpcs, progress_stream, replay
from dagrpc._client.administration import Administration
from dagrpc._client.gather import futures_in
from dagrpc._client.waiting import Operation, RunOnLoop
from dagrpc._common.versions import differences, mismatch_message
from dagrpc.cluster_dump import checked_format


class Questions(Administration):
    """Questions about tasks that ran, and about versions. See `Client`."""

    def story(self, *keys_or_stimuli: Any, on_error: str = "raise") -> Any:
        """Return what happened to tasks on the scheduler and on all workers, oldest first.

        Parameters
        ----------
        *keys_or_stimuli : key, future or str
            Tasks, or names of causes, as they stand in other stories.
        on_error : {"raise", "ignore"}
            What to do about a worker that cannot be asked.

        Returns
        -------
        list of tuple
            Where (``"scheduler"`` or a worker's address), key, the state before and after, recommendations (empty),
            cause, and time in seconds since the epoch. What workers tell has the state after twice.

        Raises
        ------
        CommClosedError
            If a worker cannot be asked.

        Examples
        --------
        >>> future = client.submit(inc, 1, key="x")
        >>> future.result()
        2
        >>> client.story(future)
        [(..., 'x', 'released', 'waiting', ...]
        """
        if on_error not in ("raise", "ignore"):
            raise ValueError(f"on_error must be 'raise' or 'ignore', not {on_error!r}")
        return self._call(introspection_rpcs.story(self._session, keys_or_stimuli, on_error))

    def get_versions(self, check: bool = False, packages: Iterable[Any] | None = None) -> Any:
        """Return which versions of Python and packages the scheduler, all workers and this process have.

        Parameters
        ----------
        check : bool
            Whether to raise if they differ.
        packages : list of str, optional
            Names of further packages.

        Returns
        -------
        dict
            ``scheduler`` and ``client``: facts about ``host`` and ``packages``; ``workers``: the same by address.

        Raises
        ------
        ValueError
            If `check` is set and versions differ; names them.

        Examples
        --------
        >>> versions = client.get_versions(check=True)
        >>> versions["client"]["packages"]["dask"] == dask.__version__
        True
        """
        if isinstance(packages, str):
            packages = [packages]
        names = [name if isinstance(name, str) else str(name[0]) for name in packages or ()]
        return self._run(self._versions(check, names))

    def _versions(self, check: bool, names: list[str]) -> Operation[dict[str, Any]]:
        self._check_open()
        versions: dict[str, Any] = yield RunOnLoop(self._loop, introspection_rpcs.versions(self._session, names))
        if check:
            found = {name: versions[name]["packages"] for name in ("client", "scheduler")}
            found.update((worker, facts["packages"]) for worker, facts in versions["workers"].items())
            wrong = differences(found)
            if wrong:
                raise ValueError(mismatch_message(wrong))
        return versions

    def nbytes(self, keys: Any = None, summary: bool = True, **kwargs: Any) -> Any:
        """Return how many bytes results take on the cluster.

        Parameters
        ----------
        keys : list of keys, or futures, optional
            Which results; all by default.
        summary : bool
            Whether to add up those of a kind.

        Returns
        -------
        dict
            Bytes by key, or by kind of task.

        Examples
        --------
        >>> future = client.submit(inc, 1, key="x")
        >>> future.result()
        2
        >>> client.nbytes(["x"])
        {'x': 28}
        """
        return self._run(self._nbytes(keys, summary))

    def _nbytes(self, keys: Any, summary: bool) -> Operation[dict[Any, int]]:
        self._check_open()
        wire_keys = None if keys is None else self._wire_keys(keys)
        sizes: dict[Any, int] = yield RunOnLoop(self._loop, admin.nbytes(self._session, wire_keys))
        if not summary:
            return sizes
        sums: dict[Any, int] = {}
        for key, nbytes in sizes.items():
            kind = key_split(key)
            sums[kind] = sums.get(kind, 0) + nbytes
        return sums

    def benchmark_hardware(self) -> Any:
        """Measure how fast disks, memory and network of the workers are. Takes some seconds, in which they work hard.

        Returns
        -------
        dict
            ``disk``, ``memory`` and ``network``: bytes per second by the size of what was written, copied or fetched,
            on average over the workers. ``network`` is empty if there is one worker only.

        Examples
        --------
        >>> speeds = client.benchmark_hardware()  # takes some seconds
        >>> sorted(speeds)
        ['disk', 'memory', 'network']
        >>> list(speeds["disk"])
        ['1 kiB', '100 kiB', '1 MiB', '10 MiB', '100 MiB']
        """
        return self._run(hardware.benchmark(self))

    def get_spans(self) -> Any:
        """Return what the scheduler remembers of spans, and what their tasks have taken so far.

        Returns
        -------
        Spans
            With `find_by_tags`, `merge_by_tags` and `merge_all`.

        Examples
        --------
        >>> with span("training"):
        ...     future = client.submit(inc, 1, key="trained")
        >>> future.result()
        2
        >>> client.get_spans().merge_by_tags("training").states["memory"]
        1
        """
        return self._call(progress_stream.spans(self._session))

    def dump_cluster_state(
        self,
        filename: str = "dask-cluster-dump",
        write_from_scheduler: bool | None = None,
        exclude: Collection[str] = (),
        format: str = "msgpack",
        **storage_options: Any,
    ) -> Any:
        """Write down what the scheduler and all workers know: tasks, stories, measurements, versions.

        `dagrpc.cluster_dump.DumpArtefact` reads it. The work of tasks and their results are not in it. The scheduler
        does little else while it writes.

        Parameters
        ----------
        filename : str
            Path, or a URL that fsspec knows; the format's suffix is added if it is not there.
        write_from_scheduler : bool, optional
            Whether the scheduler writes the file, where it runs; it has to be one that runs code of clients.
        exclude : collection of str
            Names of entries to leave out, wherever they are.
        format : {"msgpack", "yaml"}
            ``.msgpack.gz`` or ``.yaml``. The first needs the package msgpack.
        **storage_options
            For fsspec's file system.

        Raises
        ------
        ValueError
            If there is no such format.
        ImportError
            If what writes it is not installed.

        Examples
        --------
        >>> from dagrpc.cluster_dump import DumpArtefact
        >>> client.dump_cluster_state("dump", format="yaml")
        >>> DumpArtefact.from_url("dump.yaml").scheduler_tasks_in_state("processing")
        []
        """
        checked_format(format)
        names = [exclude] if isinstance(exclude, str) else list(exclude)
        if write_from_scheduler:
            return self.run_on_scheduler(dumping.dump_there, str(filename), format, names, storage_options)
        return self._run(dumping.dump(self, str(filename), format, names, storage_options))

    # --- running a task here -------------------------------------------------------------------------------------

    def recreate_error_locally(self, future: Any) -> Any:
        """Run the task that failed here, in this process, with the inputs that it had.

        So that a debugger can look at it. What it used is computed again on the cluster if it is not there any more.

        Parameters
        ----------
        future : Future or collection
            What failed, or depends on what did.

        Raises
        ------
        ValueError
            If none of it has failed.
        Exception
            What the task raises.

        Examples
        --------
        >>> future = client.submit(lambda x: 1 / x, 0)
        >>> client.recreate_error_locally(future)
        Traceback (most recent call last):
            ...
        ZeroDivisionError: division by zero
        """
        return self._run(replay.failed(self, futures_in(future)))

    def recreate_task_locally(self, future: Any) -> Any:
        """Run a task here, in this process, with the inputs that it had on the cluster, whatever came of it.

        Parameters
        ----------
        future : Future or collection
            The task; of several the first.

        Returns
        -------
        What the task returns.

        Raises
        ------
        ValueError
            If there is no task: scattered data, for instance.

        Examples
        --------
        >>> client.recreate_task_locally(client.submit(sum, [1, 2]))
        3
        """
        return self._run(replay.any_task(self, futures_in(future)))
