"""Runs the servers of a specification in this process, for `dagrpc spec`."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dagrpc._loop.io_loop import adopt_running_loop
from dagrpc._process.server_classes import load_class
from dagrpc._process.service_process import on_signals
from dagrpc_deploy.file_lease import watch_lease


def read_spec(text: str | None, path: str | None) -> dict[str, Mapping[str, Any]]:
    """Return the specifications by name from JSON or YAML, given as text or as a file.

    Parameters
    ----------
    text, path : str, optional
        One of the two, with ``{"cls": ..., "opts": {...}}``, or several of these by name.

    Raises
    ------
    ValueError
        If there is no specification, or it has another form.

    Examples
    --------
    >>> read_spec('{"cls": "dagrpc.Worker", "opts": {"nthreads": 1}}', None)
    {'': {'cls': 'dagrpc.Worker', 'opts': {'nthreads': 1}}}
    """
    if bool(text) == bool(path):
        raise ValueError("give a specification as text (--spec) or in a file (--spec-file), one of the two")
    content = text if text else Path(path or "").read_text(encoding="utf-8")
    try:
        found = json.loads(content)
    except ValueError:
        import yaml

        try:
            found = yaml.safe_load(content)
        except yaml.YAMLError as error:
            raise ValueError(f"the specification is neither JSON nor YAML: {error}") from None
    if isinstance(found, Mapping) and "cls" in found:
        found = {"": found}
    if not isinstance(found, Mapping) or not found or not all(_is_spec(each) for each in found.values()):
        raise ValueError('a specification has the form {"cls": "package.Class", "opts": {...}}, or holds such by name')
    return dict(found)


def _is_spec(found: Any) -> bool:
    if not isinstance(found, Mapping) or not isinstance(found.get("cls"), str) or set(found) - {"cls", "opts"}:
        return False
    return isinstance(found.get("opts") or {}, Mapping)


def read_security() -> dict[str, Any]:
    """Return the arguments of a `Security` from the first line of standard input.

    Raises
    ------
    ValueError
        If the line is not a JSON object. The message leaves the line out.
    """
    try:
        found = json.loads(sys.stdin.buffer.readline())
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ValueError("the first line of standard input must have the arguments of a Security, as JSON")
    return found


def make(
    specs: Mapping[str, Mapping[str, Any]], args: Sequence[str], security: Mapping[str, Any] | None = None
) -> list[Any]:
    """Return the servers of the specifications; `args` and the security, if there is one, go to each."""
    made = []
    for name, spec in specs.items():
        options = dict(spec.get("opts") or {})
        if name:
            options.setdefault("name", name)
        if security:
            options.setdefault("security", security)
        made.append(load_class(spec["cls"])(*args, **options))
    return made


async def run_spec(
    servers: Callable[[], list[Any]], watch_stdin: bool = False, lease: tuple[str, float] | None = None
) -> None:
    """Run servers until all of them have closed, or a signal ends them.

    `servers` makes the servers once there is an event loop. Each prints a line such as ``Worker at: 127.0.0.1:40001``.
    With `watch_stdin` they end at the end of standard input, when the process that started them has ended. With `lease`
    they end when a file has not changed for so many seconds.
    """
    adopt_running_loop()
    loop = asyncio.get_running_loop()
    running = servers()
    closing: list[asyncio.Task[Any]] = []

    def stop(reason: str) -> None:
        closing.extend(loop.create_task(server.close(reason=reason)) for server in running)

    on_signals(stop)
    if watch_stdin:
        threading.Thread(
            target=_wait_for_end, args=(lambda: loop.call_soon_threadsafe(stop, "its starter is gone"),), daemon=True
        ).start()
    if lease is not None:
        path, seconds = lease
        watch = loop.create_task(watch_lease(path, seconds, lambda: stop("its lease has run out")))
    await asyncio.gather(*(server.start() for server in running))
    for server in running:
        print(f"{type(server).__name__} at: {server.address}", flush=True)
    await asyncio.gather(*(server.finished() for server in running))
    if lease is not None:
        watch.cancel()
    await asyncio.gather(*closing)


def _wait_for_end(then: Callable[[], object]) -> None:
    while sys.stdin.buffer.read(4096):
        pass
    then()
