"""What services in processes of their own are told, of what users give: plain data, and a pickle of the rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dagrpc import config


def words(text: str) -> frozenset[str]:
    """Return the words of a text."""
    return frozenset(text.split())


_DURATIONS = words(
    "death_timeout heartbeat_interval lifetime lifetime_stagger idle_timeout worker_ttl profile_cycle_interval"
)
_OBJECTS = words("executor data metrics startup_information worker_class plugins")
_WORKER_PLAIN = words(
    """scheduler_address scheduler_file host contact_address name nthreads memory_limit resources local_directory
    lifetime_restart low_level_profiler preload preload_argv security
    memory_target_fraction memory_spill_fraction memory_pause_fraction"""
)
_SCHEDULER_PLAIN = words(
    """allow_code allowed_failures blocked_handlers contact_address host port validate scheduler_file preload
    preload_argv security"""
)
_IGNORED = words(
    """loop services service_kwargs silence_logs validate dashboard dashboard_address http_prefix security protocol
    transition_counter_max scheduler_sni connection_limit deserialize
    reconnect quiet jupyter interface"""
)


def worker_fields(given: Mapping[str, Any], who: str = "A worker in a process of its own") -> dict[str, Any]:
    """Return what a worker's process is told: fields of its options, without those that are None.

    Parameters
    ----------
    given : mapping
        As users give it to `Worker`.
    who : str
        What to call the worker in errors.

    Raises
    ------
    TypeError
        For what such a process cannot be told.

    Examples
    --------
    >>> worker_fields({"death_timeout": "2 s", "name": None})
    {'death_timeout': 2.0}
    """
    fields, objects = {}, {}
    for name, value in given.items():
        if value is None or (name in _IGNORED and name not in _WORKER_PLAIN):
            continue
        if name in _DURATIONS:
            fields[name] = config.seconds(value)
        elif name in _OBJECTS:
            objects[name] = value
        elif name in _WORKER_PLAIN:
            fields[name] = value
        else:
            raise TypeError(f"{who} got unknown arguments: {name}")
    if objects:
        import cloudpickle

        fields["pickled"] = cloudpickle.dumps(objects)
    return fields


def unpickled(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a worker's options with the pickle of the rest taken apart. In the worker's process."""
    pickled = fields.get("pickled")
    if pickled is None:
        return fields
    import cloudpickle

    rest = {name: value for name, value in fields.items() if name != "pickled"}
    return {**rest, **cloudpickle.loads(pickled)}


def scheduler_fields(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a scheduler's process is told: fields of its options, without those that are None.

    Raises
    ------
    TypeError
        For what such a process cannot be told.
    """
    fields = {}
    for name, value in given.items():
        if value is None or (name in _IGNORED and name not in _SCHEDULER_PLAIN):
            continue
        if name in _DURATIONS:
            fields[name] = config.seconds(value)
        elif name in _SCHEDULER_PLAIN:
            fields[name] = value
        else:
            raise TypeError(
                f"A scheduler in a process of its own got unknown arguments: {name}; with processes=False it is "
                "in this one and takes all that Scheduler takes"
            )
    return fields
