"""Sends the worker's metrics to the scheduler, on a separate stream."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import grpc

from dagrpc._rpc import error_status
from dagrpc._rpc.channels import ServiceClient
from dagrpc.v1 import worker_session_pb2
from dagrpc_worker.execute.task_recorder import Recorder

logger = logging.getLogger("dagrpc.worker")

_ANSWER_TIMEOUT = 30.0


class Heartbeat:
    """Sends heartbeats at an interval.

    Parameters
    ----------
    address : str
        The worker's address.
    sample, own_sample : callable
        Return the worker's metrics, and the metrics that the user adds.
    interval : float
        Seconds between two heartbeats, unless the scheduler sets another interval.
    recorder : Recorder
        Its records are sent with the heartbeats.
    """

    def __init__(
        self,
        address: str,
        client: ServiceClient,
        sample: Callable[[], Mapping[str, float]],
        interval: float,
        recorder: Recorder,
        own_sample: Callable[[], Awaitable[Mapping[str, float]]] | None = None,
    ) -> None:
        self._own_sample = own_sample
        self._recorder = recorder
        self._address = address
        self._client = client
        self._sample = sample
        self._interval = interval
        self.lag = 0.0
        """Recent lag of the event loop in seconds."""
        self.latency = 0.0
        """Seconds that the scheduler took to answer the last heartbeat."""

    async def run(self) -> None:
        """Send heartbeats until cancelled. A broken stream is opened again: only the session ends the worker."""
        while True:
            try:
                await self._send_all()
            except grpc.aio.AioRpcError as error:
                logger.info(
                    "Worker at %s opens its heartbeat stream again: %s",
                    self._address,
                    error_status.from_rpc_error(error, self._client.peer),
                )
            except grpc.aio.UsageError:
                # The worker has closed its channel, so it is about to end.
                return
            except (asyncio.InvalidStateError, TimeoutError):
                logger.info("Worker at %s opens its heartbeat stream again: no answer", self._address)
            # Without heartbeats the scheduler would remove the worker.
            except Exception:
                logger.exception("Worker at %s failed to send a heartbeat", self._address)
            await self._pause()

    async def _send_all(self) -> None:
        stream = self._client.open_session("Heartbeat")
        try:
            while True:
                metrics = dict(self._sample())
                if self._own_sample is not None:
                    metrics.update(await self._own_sample())
                message = worker_session_pb2.HeartbeatRequest(address=self._address, time=time.time(), metrics=metrics)
                if self._recorder.waits:
                    async with self._recorder.handing_over:
                        message.records.CopyFrom(await asyncio.to_thread(self._recorder.drain))
                        answer = await self._ask(stream, message)
                else:
                    answer = await self._ask(stream, message)
                if answer is grpc.aio.EOF:
                    return
                self._recorder.follow(answer.recording, answer.details)
                if answer.interval_seconds > 0:
                    self._interval = answer.interval_seconds
                await self._pause()
        finally:
            stream.cancel()

    async def _ask(self, stream: Any, message: worker_session_pb2.HeartbeatRequest) -> Any:
        sent = time.monotonic()
        await stream.write(message.SerializeToString())
        # `asyncio.wait_for` of Python 3.11 loses a cancellation that comes together with the answer.
        async with asyncio.timeout(_ANSWER_TIMEOUT):
            answer = await stream.read()
        self.latency = time.monotonic() - sent
        return answer

    async def _pause(self) -> None:
        """Sleep for an interval, and measure the lag of the event loop."""
        due = time.monotonic() + self._interval
        await asyncio.sleep(self._interval)
        self.lag = max(time.monotonic() - due, 0.0)
