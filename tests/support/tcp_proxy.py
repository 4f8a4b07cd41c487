"""A TCP proxy that injects network faults for tests.

```python
with TcpProxy(scheduler_address) as proxy:
    client = Client(proxy.address)
    proxy.drop()                # breaks the current connections; new connections work
    proxy.cut()                 # breaks the current and all new connections until restore()
    proxy.restore()             # ends all faults
    proxy.blackhole()           # silently stops all data: half-open connections
    proxy.delay(0.2)            # delays every piece of data by 0.2 s
```

The proxy runs on an event loop in a thread of its own, so that connections work while the test waits. All methods may
be called from any thread, and return once they have taken effect.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from typing import Literal, Self

Direction = Literal["up", "down", "both"]
"""The direction of data: up to the target, down from the target, or both."""

_PIECE = 1 << 18


class TcpProxy:
    """Passes connections on to a target.

    Parameters
    ----------
    target : str
        The address that connections are passed on to, ``host:port``. If the target does not answer, the proxy
        closes the incoming connection.
    host : str
        The host to listen on.
    port : int
        The port to listen on; 0 chooses a free port. With the port of a future worker, the proxy can stand in front
        of an announced address (`contact_address`) before the worker exists; see `target`.
    """

    def __init__(self, target: str = "", host: str = "127.0.0.1", port: int = 0) -> None:
        self.target = target
        """The address for new connections; can be changed at any time."""
        self.accepted = 0
        """Number of connections through the proxy, without those that were closed immediately."""
        self._broken = False
        self._delay = 0.0
        self._open: dict[str, asyncio.Event] = {}
        self._pairs: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._listener = socket.create_server((host, port))
        self.address = f"{host}:{self._listener.getsockname()[1]}"
        """The address that the proxy listens on."""
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,), name="tcp-proxy", daemon=True)
        self._thread.start()
        started.wait(10)

    # --- what it does to connections -----------------------------------------------------------------------------

    @property
    def connections(self) -> int:
        """Number of open connections."""
        return len(self._pairs)

    def drop(self, reset: bool = True) -> None:
        """Break all current connections. New connections work.

        Parameters
        ----------
        reset : bool
            True resets the connections, as a dead host does, so that data in transit is lost. False closes them in
            good order.
        """
        self._call(lambda: self._break(reset))

    def cut(self, reset: bool = True) -> None:
        """Break all current connections, and new connections as soon as they are accepted, until `restore`.

        The proxy keeps listening: new connections are accepted and not refused, unlike with a dead target.
        """

        def cut() -> None:
            self._broken = True
            self._break(reset)

        self._call(cut)

    def blackhole(self, direction: Direction = "both") -> None:
        """Hold back all data without a sign to either side until `restore`. New connections are accepted but silent.

        The held data arrives after `restore`, as lost segments do after TCP sends them again.
        """

        def block() -> None:
            for way in ("up", "down") if direction == "both" else (direction,):
                self._open[way].clear()

        self._call(block)

    def delay(self, seconds: float) -> None:
        """Delay each piece of data by `seconds` seconds."""
        self._delay = seconds

    def restore(self) -> None:
        """End all faults."""

        def restore() -> None:
            self._broken = False
            self._delay = 0.0
            for gate in self._open.values():
                gate.set()

        self._call(restore)

    # --- life ----------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Break all connections and stop listening, so that new connections are refused."""
        if self._thread.is_alive():
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- on its loop ---------------------------------------------------------------------------------------------

    def _call(self, function: Callable[[], None]) -> None:
        done = threading.Event()

        def call() -> None:
            function()
            done.set()

        self._loop.call_soon_threadsafe(call)
        if not done.wait(10):
            raise TimeoutError("the proxy does not answer")

    def _run(self, started: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        for way in ("up", "down"):
            self._open[way] = asyncio.Event()
            self._open[way].set()
        server = self._loop.run_until_complete(asyncio.start_server(self._accept, sock=self._listener))
        self._loop.call_soon(started.set)
        self._loop.run_forever()
        server.close()
        self._break(reset=True)
        for task in self._tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*self._tasks, return_exceptions=True))
        self._loop.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        host, _, port = self.target.rpartition("://")[2].rpartition(":")
        try:
            if self._broken:
                raise ConnectionError
            far_reader, far_writer = await asyncio.open_connection(host, int(port))
        except (OSError, ValueError):
            _end(writer, reset=True)
            return
        self.accepted += 1
        pair = (writer, far_writer)
        self._pairs.add(pair)
        try:
            # `cut` may have been called while the target was being connected.
            if not self._broken:
                await asyncio.gather(self._pass_on(reader, far_writer, "up"), self._pass_on(far_reader, writer, "down"))
        except (OSError, asyncio.CancelledError):
            # The connection is broken or the proxy closes; asyncio would report a cancelled task as an error.
            pass
        finally:
            self._pairs.discard(pair)
            for end in pair:
                _end(end, reset=False)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: str) -> None:
        gate = self._open[way]
        while data := await reader.read(_PIECE):
            if self._delay:
                await asyncio.sleep(self._delay)
            await gate.wait()
            writer.write(data)
            await writer.drain()
        await gate.wait()
        # A gRPC peer that closes its side sends nothing more: both sides are done.
        raise ConnectionResetError

    def _break(self, reset: bool) -> None:
        for pair in list(self._pairs):
            for end in pair:
                _end(end, reset)
        self._pairs.clear()


def _end(writer: asyncio.StreamWriter, reset: bool) -> None:
    """Close a connection immediately."""
    if reset:
        with contextlib.suppress(OSError, AttributeError):
            # Closing with a linger time of zero sends a reset.
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
    else:
        writer.close()
