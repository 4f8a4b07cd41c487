"""Looking back and looking inside: stories, versions, spans, dumps of the cluster's state, hardware benchmarks."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from dagrpc._client import hardware, introspection_rpcs, progress_stream, state_dump
from dagrpc._client.client_core import ClientCore, HasCore
from dagrpc._client.verbs.run import run_on_scheduler
from dagrpc._client.waiting import Operation, RunOnLoop
from dagrpc._common.versions import differences, mismatch_message
from dagrpc.cluster_dump import checked_format


def story(self: HasCore, *keys_or_stimuli: Any, on_error: str = "raise") -> Any:
    """Return the transitions of tasks on the scheduler and on all workers, oldest first.

    Parameters
    ----------
    *keys_or_stimuli : key, future or str
        Tasks, or names of causes as they appear in stories.
    on_error : {"raise", "ignore"}
        Whether to raise if a worker does not answer.

    Returns
    -------
    list of tuple
        ``"scheduler"`` or a worker's address, key, the state before and after, recommendations (empty), cause, and
        time in seconds since the epoch. Transitions of workers contain the state after twice.

    Raises
    ------
    CommClosedError
        If a worker does not answer.

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
    return self._core.call(introspection_rpcs.story(self._core.session, keys_or_stimuli, on_error))


def get_versions(self: HasCore, check: bool = False, packages: Iterable[Any] | None = None) -> Any:
    """Return the versions of Python and packages on the scheduler, all workers and this process.

    Parameters
    ----------
    check : bool
        Whether to raise if versions differ.
    packages : list of str, optional
        Names of further packages.

    Returns
    -------
    dict
        ``scheduler`` and ``client``: facts about ``host`` and ``packages``; ``workers``: the same by address.

    Raises
    ------
    ValueError
        If `check` is set and versions differ; the message names them.

    Examples
    --------
    >>> versions = client.get_versions(check=True)
    >>> versions["client"]["packages"]["dask"] == dask.__version__
    True
    """
    if isinstance(packages, str):
        packages = [packages]
    names = [name if isinstance(name, str) else str(name[0]) for name in packages or ()]
    return self._core.run(_versions(self._core, check, names))


def _versions(core: ClientCore, check: bool, names: list[str]) -> Operation[dict[str, Any]]:
    core.check_open()
    versions: dict[str, Any] = yield RunOnLoop(core.loop, introspection_rpcs.versions(core.session, names))
    if check:
        found = {name: versions[name]["packages"] for name in ("client", "scheduler")}
        found.update((worker, facts["packages"]) for worker, facts in versions["workers"].items())
        wrong = differences(found)
        if wrong:
            raise ValueError(mismatch_message(wrong))
    return versions


def get_spans(self: HasCore) -> Any:
    """Return the spans that the scheduler keeps, with the measurements of their tasks so far.

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
    return self._core.call(progress_stream.spans(self._core.session))


def benchmark_hardware(self: HasCore) -> Any:
    """Measure the speed of the workers' disks, memory and network. This takes some seconds of all workers' time.

    Returns
    -------
    dict
        ``disk``, ``memory`` and ``network``: bytes per second by the size that was written, copied or fetched, on
        average over the workers. ``network`` is empty if there is one worker only.

    Examples
    --------
    >>> speeds = client.benchmark_hardware()  # takes some seconds
    >>> sorted(speeds)
    ['disk', 'memory', 'network']
    >>> list(speeds["disk"])
    ['1 kiB', '100 kiB', '1 MiB', '10 MiB', '100 MiB']
    """
    return self._core.run(hardware.benchmark(self._core))


def dump_cluster_state(
    self: HasCore,
    filename: str = "dask-cluster-dump",
    write_from_scheduler: bool | None = None,
    exclude: Collection[str] = (),
    format: str = "msgpack",
    **storage_options: Any,
) -> Any:
    """Write the state of the scheduler and all workers to a file: tasks, stories, measurements, versions.

    `dagrpc.cluster_dump.DumpArtefact` reads the file. Code and results of tasks are not included. The scheduler does
    little else while it collects the state.

    Parameters
    ----------
    filename : str
        Path, or a URL that fsspec supports; the suffix of the format is added if it is missing.
    write_from_scheduler : bool, optional
        Whether the scheduler writes the file on its own machine, which takes a scheduler that runs code of clients.
    exclude : collection of str
        Names of entries to leave out, at any depth.
    format : {"msgpack", "yaml"}
        ``.msgpack.gz`` or ``.yaml``. The first needs the package msgpack.
    **storage_options
        For fsspec's file system.

    Raises
    ------
    ValueError
        If there is no such format.
    ImportError
        If the package for the format is not installed.

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
        return run_on_scheduler(self, state_dump.dump_from_scheduler, str(filename), format, names, storage_options)
    return self._core.run(state_dump.dump(self._core, str(filename), format, names, storage_options))
