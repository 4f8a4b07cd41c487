"""Forwards log records and output of workers to clients."""

from __future__ import annotations

import logging
import sys
import threading
from typing import Any, TextIO

from dagrpc._codec.plain import encode_plain
from dagrpc._common import running_task
from dagrpc._process.silenced_logs import LOGGERS
from dagrpc.messages import STDERR, STDOUT, shown_elsewhere
from dagrpc.plugins.base import WorkerPlugin

__all__ = ["ForwardLoggingPlugin", "ForwardOutput"]

_FORWARDED = "_dagrpc_forwarded"
"""Attribute of log records that came from a worker."""


# --- logs --------------------------------------------------------------------------------------------------------


class ForwardLoggingPlugin(WorkerPlugin):
    """Turns log records of a worker into events. `Client.forward_logging` registers it.

    Parameters
    ----------
    logger_name : str or None
        The logger; None: the root logger.
    level : int or str
        Records of a lower level are left out.
    topic : str
        Topic of the events. Their messages have the records' attributes, and the worker's address as ``worker``.

    Examples
    --------
    >>> import logging, queue
    >>> messages = queue.Queue()
    >>> client.subscribe_topic("model-log", lambda event: messages.put(event[1]["msg"]))
    >>> plugin = ForwardLoggingPlugin("model", logging.INFO, "model-log")
    >>> client.register_plugin(plugin, name="model-log")
    {'127.0.0.1:...': {'status': 'OK'}, '127.0.0.1:...': {'status': 'OK'}}
    >>> def fit():
    ...     logging.getLogger("model").warning("fitted")
    >>> client.submit(fit).result()
    >>> messages.get(timeout=10)
    'fitted'
    >>> client.unregister_worker_plugin("model-log")
    {'127.0.0.1:...': {'status': 'OK'}, '127.0.0.1:...': {'status': 'OK'}}
    """

    def __init__(self, logger_name: str | None, level: int | str, topic: str) -> None:
        self.logger_name = logger_name
        self.level = level
        self.topic = topic
        self._handler: _Forwarder | None = None

    def setup(self, worker: Any) -> None:
        """Start forwarding."""
        self._handler = _Forwarder(worker, self.topic, self.level, self.logger_name in (None, "", "root"))
        logging.getLogger(self.logger_name).addHandler(self._handler)

    def teardown(self, worker: Any) -> None:
        """Stop forwarding."""
        if self._handler is not None:
            logging.getLogger(self.logger_name).removeHandler(self._handler)
            self._handler = None


class _Forwarder(logging.Handler):
    """A log handler that turns records into events."""

    def __init__(self, worker: Any, topic: str, level: int | str, is_root: bool) -> None:
        super().__init__(level)
        self._worker = worker
        self._topic = topic
        self._is_root = is_root
        self._busy = threading.local()

    def emit(self, record: logging.LogRecord) -> None:
        """Log a record as an event."""
        if getattr(record, _FORWARDED, False) or getattr(self._busy, "now", False):
            return
        # The root logger also gets dagrpc's own lines, which are in the worker's log.
        if (self._is_root and record.name.startswith(LOGGERS)) or not _is_of(self._worker):
            return
        self._busy.now = True
        try:
            self._worker.log_event(self._topic, _attributes(record))
        except Exception:
            self.handleError(record)
        finally:
            self._busy.now = False


def _is_of(worker: Any) -> bool:
    """Return whether the calling code belongs to a worker. A process may have several."""
    found = running_task.any_worker()
    return found is not None and bool(found.address == worker.address)


def _attributes(record: logging.LogRecord) -> dict[str, Any]:
    """Return a record's attributes as plain data; other values become texts."""
    found = {**record.__dict__, "msg": record.getMessage(), "args": None, "exc_info": None}
    found.pop("message", None)
    if record.exc_info and not record.exc_text:
        found["exc_text"] = logging.Formatter().formatException(record.exc_info)
    return {str(name): _plain(value) for name, value in found.items()}


def _plain(value: Any) -> Any:
    try:
        encode_plain(value)
    except (TypeError, OverflowError):
        return str(value).encode("utf-8", "replace").decode()
    return value


def log_again(event: tuple[float, Any]) -> None:
    """Log a record of a worker with the logger of the same name."""
    record = logging.makeLogRecord({**event[1], _FORWARDED: True})
    logging.getLogger(record.name).handle(record)


# --- output ------------------------------------------------------------------------------------------------------


class ForwardOutput(WorkerPlugin):
    """Shows the output of workers to ``sys.stdout`` and ``sys.stderr`` at every client, like `dagrpc.print`.

    Clients show a task's output before its result is there. Pieces of a line are shown together when the line is
    complete or flushed, or when the task ends. Output of code in other languages is not forwarded.

    Examples
    --------
    >>> with LocalCluster(n_workers=1) as cluster, Client(cluster) as client:
    ...     outcome = client.register_plugin(ForwardOutput())
    ...     client.submit(print, "hello").result()  # printed here
    hello
    """

    name = "forward-output"

    def __init__(self) -> None:
        self._streams: dict[str, _Tee] = {}

    def setup(self, worker: Any) -> None:
        """Start forwarding."""
        for name, number in (("stdout", STDOUT), ("stderr", STDERR)):
            tee = self._streams[name] = _Tee(getattr(sys, name), worker, number)
            setattr(sys, name, tee)

    def teardown(self, worker: Any) -> None:
        """Stop forwarding."""
        for name, tee in self._streams.items():
            tee.end()
            # A stream that other code has installed meanwhile stays.
            if getattr(sys, name) is tee:
                setattr(sys, name, tee.stream)
        self._streams.clear()


class _Tee:
    """A text stream that writes to another stream and logs the lines as events of the worker."""

    def __init__(self, stream: TextIO, worker: Any, number: int) -> None:
        self.stream = stream
        self._worker: Any = worker
        self._number = number
        self._begun = threading.local()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        """Write a text."""
        count = self.stream.write(text)
        self._forward(text)
        return count

    def writelines(self, texts: Any) -> None:
        """Write texts."""
        for text in texts:
            self.write(text)

    def flush(self) -> None:
        """Write everything, incomplete lines included."""
        self.stream.flush()
        self._send_begun()

    def _send_begun(self) -> None:
        begun, self._begun.text = getattr(self._begun, "text", ""), ""
        self._send(begun)

    def _forward(self, text: str) -> None:
        worker = self._worker
        if worker is None or shown_elsewhere.get() or not _is_of(worker):
            return
        # A line usually comes in several pieces; each thread has its own.
        self._begun.text = getattr(self._begun, "text", "") + text
        if "\n" in text or not running_task.at_end(self._send_begun):
            self._send_begun()

    def _send(self, text: str) -> None:
        if text and self._worker is not None:
            text = text.encode("utf-8", "replace").decode()
            message = {"args": (text,), "file": self._number, "sep": "", "end": "", "worker": self._worker.address}
            self._worker.log_event("print", message)

    def end(self) -> None:
        """Stop forwarding; code that still holds this stream writes to the other stream."""
        self._worker = None
