"""Dumps of the state of a cluster, which `Client.dump_cluster_state` writes and `DumpArtefact` reads."""

from __future__ import annotations

import importlib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from dagrpc._common.keys import encode_key

__all__ = ["DumpArtefact", "read_dump", "write_dump"]

SUFFIXES = {"msgpack": ".msgpack.gz", "yaml": ".yaml"}


def checked_format(name: str) -> str:
    """Return the name of a format, if this process can write it.

    Raises
    ------
    ValueError
        If there is no such format.
    ImportError
        If the package for the format is not installed.
    """
    if name not in SUFFIXES:
        raise ValueError(f"Unsupported format {name!r}. Possible values are 'msgpack' or 'yaml'.")
    _module(name)
    return name


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        remedy = "pip install 'dagrpc[msgpack]', or use format='yaml'" if name == "msgpack" else "pip install pyyaml"
        raise ImportError(f"Dumps in the format {name!r} need the package {name}: {remedy}") from None


def _open(url: str, mode: str, storage_options: Mapping[str, Any]) -> Any:
    fsspec = importlib.import_module("fsspec")
    options = dict(storage_options)
    if "://" not in url:
        options.setdefault("auto_mkdir", True)
    compression = "gzip" if url.endswith(".gz") else None
    return fsspec.open(url, mode, compression=compression, **options)


def write_dump(dump: Any, filename: str, format: str, storage_options: Mapping[str, Any]) -> str:
    """Write a dump and return its path or URL with the suffix of the format.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    url = filename if filename.endswith(SUFFIXES[format]) else filename + SUFFIXES[format]
    module = _module(format)
    with _open(url, "wb", storage_options) as file:
        if format == "msgpack":
            module.pack(dump, file)
        else:
            dumper = getattr(module, "CSafeDumper", module.SafeDumper)
            file.write(module.dump(dump, Dumper=dumper, sort_keys=False).encode())
    return url


def read_dump(url: str, storage_options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the dump at a path or URL.

    Raises
    ------
    ValueError
        If the path does not have the suffix of a format.
    """
    format = next((name for name, suffix in SUFFIXES.items() if str(url).endswith(suffix)), None)
    if format is None:
        raise ValueError(f"url ({url}) must have a .msgpack.gz or .yaml suffix")
    module = _module(format)
    with _open(str(url), "rb", storage_options) as file:
        if format == "msgpack":
            found: dict[str, Any] = module.unpack(file, strict_map_key=False)
        else:
            found = module.load(file, Loader=getattr(module, "CSafeLoader", module.SafeLoader))
    return found


def without(value: Any, exclude: Collection[str]) -> Any:
    """Return plain data without the entries of excluded names, at any depth."""
    if not exclude:
        return value
    if isinstance(value, dict):
        return {name: without(item, exclude) for name, item in value.items() if name not in exclude}
    if isinstance(value, list):
        return [without(item, exclude) for item in value]
    return value


class DumpArtefact(Mapping[str, Any]):
    """The state of a cluster at one moment, read from a dump.

    A mapping with ``scheduler``, ``workers`` (by address; a text with the reason for a worker that did not answer) and
    ``versions``.

    Parameters
    ----------
    dump : dict
        Its content.

    Examples
    --------
    >>> future = client.submit(inc, 1, key="x")
    >>> future.result()
    2
    >>> client.dump_cluster_state("dump", format="yaml")
    >>> dump = DumpArtefact.from_url("dump.yaml")
    >>> "x" in {task["key"] for task in dump.scheduler_tasks_in_state("memory")}
    True
    """

    def __init__(self, dump: dict[str, Any]) -> None:
        self.dump = dump

    @classmethod
    def from_url(cls, url: str, **kwargs: Any) -> DumpArtefact:
        """Read a dump.

        Parameters
        ----------
        url : str
            Path, or a URL that fsspec supports; ends in ``.msgpack.gz`` or ``.yaml``.
        **kwargs
            For fsspec's file system.

        Raises
        ------
        ValueError
            If `url` ends in something else.

        Examples
        --------
        >>> client.dump_cluster_state("dump", format="yaml")
        >>> DumpArtefact.from_url("dump.yaml")
        <DumpArtefact of 127.0.0.1:..., 2 workers>
        """
        return cls(read_dump(url, kwargs))

    def __getitem__(self, name: str) -> Any:
        return self.dump[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.dump)

    def __len__(self) -> int:
        return len(self.dump)

    def __repr__(self) -> str:
        return f"<DumpArtefact of {self.dump['scheduler']['address']}, {len(self.dump['workers'])} workers>"

    def _workers(self) -> dict[str, dict[str, Any]]:
        return {address: facts for address, facts in self.dump["workers"].items() if isinstance(facts, dict)}

    # --- stories -----------------------------------------------------------------------------------------------

    def scheduler_story(self, *key_or_stimulus_id: Any) -> dict[Any, list[tuple[Any, ...]]]:
        """Return the transitions of tasks on the scheduler, by key; or the transitions with some causes, by cause.

        Examples
        --------
        >>> client.submit(inc, 1, key="x").result()
        2
        >>> client.dump_cluster_state("dump", format="yaml")
        >>> dump = DumpArtefact.from_url("dump.yaml")
        >>> dump.scheduler_story("x")
        {'x': [...'released', 'waiting', ...]}
        """
        log = self.dump["scheduler"].get("transition_log", ())
        return {
            name: [
                (key, start, finish, {}, stimulus, time)
                for time, key, start, finish, _, stimulus in log
                if _wire(name) in (key, stimulus)
            ]
            for name in key_or_stimulus_id
        }

    def worker_story(self, *key_or_stimulus_id: Any) -> dict[Any, list[tuple[Any, ...]]]:
        """Return the transitions of tasks on all workers, by key; or the transitions with some causes, by cause.

        Examples
        --------
        >>> client.submit(inc, 1, key="x").result()
        2
        >>> client.dump_cluster_state("dump", format="yaml")
        >>> dump = DumpArtefact.from_url("dump.yaml")
        >>> dump.worker_story("x")
        {'x': [...('x', 'executing', 'memory', 'memory', ...]}
        """
        logs = [entry for facts in self._workers().values() for entry in facts.get("log", ())]
        return {
            name: [
                (key, start, finish, finish, {}, stimulus, time)
                for key, start, finish, stimulus, time in logs
                if _wire(name) in (key, stimulus)
            ]
            for name in key_or_stimulus_id
        }

    # --- tasks and workers ---------------------------------------------------------------------------------------

    def scheduler_tasks_in_state(self, state: str | None = None) -> list[dict[str, Any]]:
        """Return the scheduler's facts about the tasks in a state, or about all tasks.

        Examples
        --------
        >>> client.dump_cluster_state("dump", format="yaml")
        >>> dump = DumpArtefact.from_url("dump.yaml")
        >>> dump.scheduler_tasks_in_state("erred")
        []
        """
        tasks = self.dump["scheduler"].get("tasks", {}).values()
        return [task for task in tasks if state is None or task["state"] == state]

    def worker_tasks_in_state(self, state: str | None = None) -> list[dict[str, Any]]:
        """Return the workers' facts about the tasks in a state, or about all tasks.

        Examples
        --------
        >>> client.dump_cluster_state("dump", format="yaml")
        >>> dump = DumpArtefact.from_url("dump.yaml")
        >>> dump.worker_tasks_in_state("executing")
        []
        """
        found = [task for facts in self._workers().values() for task in facts.get("tasks", {}).values()]
        return [task for task in found if state is None or task["state"] == state]

    def missing_workers(self) -> list[str]:
        """Return the addresses of the scheduler's workers whose state is missing, since they did not answer.

        Examples
        --------
        >>> client.dump_cluster_state("dump", format="yaml")
        >>> dump = DumpArtefact.from_url("dump.yaml")
        >>> dump.missing_workers()
        []
        """
        there = self._workers()
        return [address for address in self.dump["scheduler"].get("workers", {}) if address not in there]

    def to_yamls(
        self,
        root_dir: str | Path | None = None,
        worker_expand_keys: Collection[str] = ("config", "log", "logs", "tasks"),
        scheduler_expand_keys: Collection[str] = (
            "events",
            "extensions",
            "log",
            "task_groups",
            "tasks",
            "transition_log",
            "workers",
        ),
    ) -> None:
        """Write the dump as several YAML files, in a directory for the scheduler and one for each worker.

        Parameters
        ----------
        root_dir : path, optional
            Path of the new directories; the current directory by default.
        worker_expand_keys, scheduler_expand_keys : collection of str
            Entries with a file of their own; the file ``general.yaml`` contains the other entries.

        Examples
        --------
        >>> from pathlib import Path
        >>> client.dump_cluster_state("dump", format="yaml")
        >>> DumpArtefact.from_url("dump.yaml").to_yamls("yamls")
        >>> any(Path("yamls").rglob("*.yaml"))
        True
        """
        root = Path(root_dir) if root_dir is not None else Path.cwd()
        _expand(root / "scheduler", self.dump["scheduler"], scheduler_expand_keys)
        for address, facts in self.dump["workers"].items():
            name = facts["id"] if isinstance(facts, dict) else address.replace(":", "-").replace("/", "-")
            found = facts if isinstance(facts, dict) else {"address": address, "unreachable": facts}
            _expand(root / name, found, worker_expand_keys)


def _wire(name: Any) -> str:
    return name if isinstance(name, str) else encode_key(name)


def _expand(directory: Path, facts: dict[str, Any], names: Collection[str]) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    files = {name: facts[name] for name in names if name in facts}
    files["general"] = {name: value for name, value in facts.items() if name not in names}
    for name, content in files.items():
        write_dump(content, str(directory / name), "yaml", {})
