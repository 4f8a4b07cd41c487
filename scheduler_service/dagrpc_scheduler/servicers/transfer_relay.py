"""Transfers through the scheduler, for clients that cannot reach the workers. The bytes pass through undecoded."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import grpc

from dagrpc import config
from dagrpc._rpc import error_status
from dagrpc._rpc.channels import ChannelPool
from dagrpc._rpc.server import read_all
from dagrpc._transfer.chunk_wire import decode_part, encode_chunk
from dagrpc._transfer.transfers import WORKER_SERVICE
from dagrpc.exceptions import CommClosedError, InvalidRequestError, NotReadyError, UnknownWorkerError
from dagrpc.v1 import data_pb2, worker_service_pb2
from dagrpc.v1 import scheduler_service_pb2 as pb
from dagrpc_scheduler.core import views
from dagrpc_scheduler.core.machine import SchedulerCore
from dagrpc_scheduler.shell.sessions.connected_peers import ConnectedPeers


@dataclass(slots=True)
class _Source:
    """A transfer from one worker that is being passed on."""

    call: Any
    keys: list[str]
    manifest: data_pb2.Manifest = field(default_factory=data_pb2.Manifest)


class TransferRelay:
    """Passes results on from workers to clients, and data from clients to workers."""

    def __init__(self, core: SchedulerCore, peers: ConnectedPeers, data_channels: ChannelPool) -> None:
        self._core = core
        self._peers = peers
        self._channels = data_channels

    async def gather(self, keys: list[str], families: list[str], context: Any) -> None:
        """Pass results from the workers that hold them on to a client, as one transfer."""
        timeout = config.get_seconds("comm.timeouts.tcp") or 30.0
        by_worker: dict[str, list[str]] = {}
        missing: list[str] = []
        found = {key: holders for key, _, holders in views.who_has(self._core, keys)}
        for key in keys:
            holders = found.get(key)
            if holders:
                by_worker.setdefault(holders[0], []).append(key)
            else:
                missing.append(key)
        with ExitStack() as calls:
            sources = []
            for worker, wanted in by_worker.items():
                client = self._channels.client(worker, WORKER_SERVICE, f"worker {worker}")
                call = client.open_download(
                    "GetData", worker_service_pb2.GetDataRequest(keys=wanted, families=families)
                )
                calls.callback(call.cancel)
                sources.append(_Source(call, wanted))
            # The client gets one manifest for the whole transfer, so all manifests are read first.
            await asyncio.gather(*(_read_manifest(source, timeout) for source in sources))
            entries = [entry for source in sources for entry in source.manifest.entries]
            entries += [data_pb2.ManifestEntry(key=key, outcome=data_pb2.DATA_OUTCOME_MISSING) for key in missing]
            manifest = data_pb2.Manifest(entries=entries)
            await context.write(pb.GatherResponse(manifest=manifest).SerializeToString())
            total = 0
            for source in sources:
                total = await _pass_on(source, total, timeout, context)
            await context.write(pb.GatherResponse(end=data_pb2.TransferEnd(total_bytes=total)).SerializeToString())

    async def put(self, context: Any) -> pb.RelayDataResponse:
        """Pass a client's data on to the worker that the first message names."""
        messages = read_all(context)
        first = await anext(messages, None)
        request = pb.RelayDataRequest.FromString(first or b"")
        if request.WhichOneof("part") != "worker":
            raise InvalidRequestError("the first message of a relayed transfer must name the worker")
        if request.worker not in self._peers.workers:
            raise UnknownWorkerError(f"No worker at {request.worker}")
        client = self._channels.client(request.worker, WORKER_SERVICE, f"worker {request.worker}")
        call = client.open_upload("PutData")
        try:
            async for message in messages:
                await call.write(message)
            await call.done_writing()
            await call
        except grpc.aio.AioRpcError as error:
            failure = error_status.from_rpc_error(error, client.peer)
            raise NotReadyError(str(failure)) if isinstance(failure, CommClosedError) else failure from None
        except asyncio.InvalidStateError:
            raise NotReadyError(f"{client.peer} ended the transfer before it was complete") from None
        finally:
            call.cancel()
        return pb.RelayDataResponse()


async def _read_manifest(source: _Source, timeout: float) -> None:
    """Read a worker's manifest; if that fails, make one that says that all results are missing."""
    try:
        message = await asyncio.wait_for(source.call.read(), timeout)
        part = decode_part(message) if message is not grpc.aio.EOF else None
    except (grpc.aio.AioRpcError, TimeoutError):
        part = None
    if isinstance(part, worker_service_pb2.GetDataResponse) and part.HasField("manifest"):
        source.manifest = part.manifest
        return
    source.call.cancel()
    source.call = None
    missing = data_pb2.DATA_OUTCOME_MISSING
    source.manifest = data_pb2.Manifest(
        entries=[data_pb2.ManifestEntry(key=key, outcome=missing) for key in source.keys]
    )


async def _pass_on(source: _Source, total: int, timeout: float, context: Any) -> int:
    """Pass a worker's chunks on, `total` bytes into the transfer; return the new total."""
    if source.call is None:
        return total
    if source.manifest.whole:
        return await _send_on(source.manifest.data, total, context)
    try:
        while True:
            message = await asyncio.wait_for(source.call.read(), timeout)
            if message is grpc.aio.EOF:
                raise NotReadyError("a worker's transfer stopped before its end; ask again")
            part = decode_part(message)
            if not isinstance(part, tuple):
                return total
            total = await _send_on(part[1], total, context)
    except grpc.aio.AioRpcError as error:
        raise NotReadyError(f"a worker's transfer broke; ask again ({error.code().name})") from None
    except TimeoutError:
        raise NotReadyError(f"a worker's transfer made no progress for {timeout:g} s; ask again") from None


async def _send_on(data: bytes | memoryview, total: int, context: Any) -> int:
    """Pass bytes on, `total` bytes into the transfer; return the new total."""
    if len(data):
        await context.write(encode_chunk(total, [data], len(data)))
    return total + len(data)
