"""Servers that the command `dagrpc spec` runs in another process, for `SubprocessCluster` and `SSHCluster`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import dask.config

from dagrpc import config
from dagrpc._common.dask_config import set_here
from dagrpc._common.server_status import Status
from dagrpc._loop.io_loop import cancel_all, spawn
from dagrpc.security import Security
from dagrpc_deploy.process_interface import ProcessInterface

logger = logging.getLogger("dagrpc.deploy")

_AT = re.compile(rb"^\w+ at: (\S+)\s*$")
_LAST_WORDS = 20
_LAST_WORDS_LIMIT = 5.0
_CLOSE_LIMIT = 15.0


class Running(Protocol):
    """A process with the interface that asyncio and asyncssh share."""

    stdin: Any
    stdout: Any
    stderr: Any

    async def wait(self) -> Any:
        """Wait for the end of the process."""

    def terminate(self) -> None:
        """Ask the process to end."""

    def kill(self) -> None:
        """Kill the process."""


def security_for(given: Any) -> Security | None:
    """Return the security of a cluster; True stands for temporary certificates, None for the configured security."""
    if given is True:
        return Security.temporary()
    found = Security() if given is False else Security.of(given)
    return found if found.fields() else None


def settings_for_servers() -> dict[str, Any]:
    """Return dask's configuration of this process without secrets, which do not belong into an environment."""
    found = set_here()
    for root in ("dagrpc", "distributed"):
        comm = (found.get(root) or {}).get("comm")
        if isinstance(comm, Mapping):
            found[root] = {**found[root], "comm": _without_secrets(comm)}
    return found


def _without_secrets(settings: Mapping[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for key, value in settings.items():
        if key in ("token", "tokens") or (isinstance(value, str) and "-----BEGIN" in value):
            continue
        kept[key] = _without_secrets(value) if isinstance(value, Mapping) else value
    return kept


class SpecProcess(ProcessInterface):
    """Servers in another process, which subclasses start in `_open`.

    `specs` has ``{"cls": ..., "opts": {...}}`` by name, as `dagrpc spec` takes it. `security` has the arguments of a
    `Security`; it travels over standard input, since command lines and environments are readable by others.
    """

    def __init__(
        self,
        specs: Mapping[str, Mapping[str, Any]],
        scheduler: str | None = None,
        name: Any = None,
        security: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(scheduler, name)
        self._specs = dict(specs)
        self._security = dict(security or {})
        self._process: Running | None = None
        self._last: deque[str] = deque(maxlen=_LAST_WORDS)
        self._tasks: set[asyncio.Task[Any]] = set()

    async def _open(self, arguments: Sequence[str], environ: Mapping[str, str]) -> Running:
        """Run Python with arguments, and with pipes for its input, output and errors."""
        raise NotImplementedError

    async def _disconnect(self) -> None:
        """Close the connection over which the process was started."""

    def _end_reason(self, code: Any) -> str:
        """Return a remark about an exit code, for the log."""
        return ""

    def _where(self) -> str:
        return "a process of its own"

    async def start(self) -> None:
        """Start the servers, and wait until they serve; raise RuntimeError with the last output if they do not."""
        arguments = ["-m", "dagrpc.cli", "spec", "--watch-stdin", "--spec", json.dumps(self._specs)]
        if self._security:
            arguments.append("--read-security")
        if self.scheduler:
            arguments.append(self.scheduler)
        timeout = config.get_seconds("nanny.start-timeout") or 60.0
        try:
            async with asyncio.timeout(timeout):
                self._process = await self._open(
                    arguments, {"DASK_INTERNAL_INHERIT_CONFIG": dask.config.serialize(settings_for_servers())}
                )
                if self._security:
                    self._process.stdin.write(json.dumps(self._security).encode() + b"\n")
                    await self._process.stdin.drain()
                errors = spawn(self._listen(self._process.stderr), self._tasks)
                await self._await_addresses(errors)
        except TimeoutError:
            await self._end()
            raise RuntimeError(f"{self} did not start within {timeout:g} s{self._words()}") from None
        except BaseException:
            await self._end()
            raise
        spawn(self._listen(self._process.stdout), self._tasks)
        spawn(self._watch(), self._tasks)
        await super().start()

    async def _await_addresses(self, errors: asyncio.Task[None]) -> None:
        assert self._process is not None
        for index in range(len(self._specs)):
            while True:
                line: bytes = await self._process.stdout.readline()
                if not line:
                    # The last lines of standard error may still be on their way.
                    await asyncio.wait([errors], timeout=_LAST_WORDS_LIMIT)
                    raise RuntimeError(f"{self} ended while it started{self._words()}")
                found = _AT.match(line)
                if found is not None:
                    break
                self._last.append(line.decode(errors="replace").rstrip())
            if index == 0:
                self.address = found.group(1).decode()

    def _words(self) -> str:
        return f": {' | '.join(self._last)}" if self._last else ""

    async def _listen(self, stream: Any) -> None:
        """Read the output of the process, which would block on a full pipe."""
        while line := await stream.readline():
            text = line.decode(errors="replace").rstrip()
            self._last.append(text)
            logger.debug("%s: %s", self, text)

    async def _watch(self) -> None:
        assert self._process is not None
        code = await self._process.wait()
        if self.status is Status.running:
            logger.warning("%s has ended%s%s", self, self._end_reason(code), self._words())
            self.status = Status.failed
            self._event_finished.set()

    async def close(self, timeout: float | None = None) -> None:
        """End the servers."""
        if self.status is not Status.closed:
            self.status = Status.closing
            await self._end()
        await super().close()

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            for patience, action in (
                (_CLOSE_LIMIT, process.stdin.write_eof),
                (_CLOSE_LIMIT, process.terminate),
                (2.0, process.kill),
            ):
                # The process may have ended by itself.
                with contextlib.suppress(OSError, RuntimeError):
                    action()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(process.wait(), patience)
                    break
        await cancel_all(self._tasks)
        await self._disconnect()

    def __str__(self) -> str:
        classes = ", ".join(sorted({str(spec["cls"]).rpartition(".")[2] for spec in self._specs.values()}))
        return f"{classes} {self.name if self.name is not None else ''} in {self._where()}".replace("  ", " ")
