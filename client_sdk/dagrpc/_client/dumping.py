"""Collecting what all processes of a cluster know, to write it down."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import grpc

from dagrpc._client import introspection_rpcs
from dagrpc._client.session import ClientSession
from dagrpc._client.waiting import Operation, RunInThread, RunOnLoop
from dagrpc._rpc import status
from dagrpc.cluster_dump import without, write_dump
from dagrpc.v1 import introspection_service_pb2 as pb

if TYPE_CHECKING:
    from dagrpc._client.connection import Connection

_PATIENCE = 120.0
"""Seconds without a piece of a document after which nothing more is expected."""


def dump(
    client: Connection, filename: str, format: str, exclude: Collection[str], storage_options: Mapping[str, Any]
) -> Operation[None]:
    """Write down what the cluster knows."""
    client._check_open()
    documents, unreachable = yield RunOnLoop(client._loop, _documents(client._session))
    versions = yield RunOnLoop(client._loop, introspection_rpcs.versions(client._session, (), on_error="ignore"))
    yield RunInThread(partial(_write, documents, unreachable, versions, filename, format, exclude, storage_options))


def _write(
    documents: dict[str, bytes],
    unreachable: dict[str, str],
    versions: dict[str, Any],
    filename: str,
    format: str,
    exclude: Collection[str],
    storage_options: Mapping[str, Any],
) -> None:
    facts: dict[str, Any] = {source: json.loads(data) for source, data in documents.items()}
    scheduler = facts.pop("scheduler")
    content = {"scheduler": scheduler, "workers": {**facts, **unreachable}, "versions": versions}
    write_dump(without(content, exclude), filename, format, storage_options)


async def _documents(session: ClientSession) -> tuple[dict[str, bytes], dict[str, str]]:
    """Return the documents of the scheduler and its workers, and why there is none."""
    await session.ping()
    service = introspection_rpcs.introspection(session)
    call = service.open_download("DumpState", pb.DumpStateRequest(with_workers=True))
    pieces: dict[str, list[bytes]] = {}
    unreachable: dict[str, str] = {}
    try:
        while (data := await asyncio.wait_for(call.read(), _PATIENCE)) is not grpc.aio.EOF:
            piece = pb.DumpStateResponse.FromString(data)
            if piece.unreachable:
                unreachable[piece.source] = piece.unreachable
            else:
                pieces.setdefault(piece.source, []).append(piece.data)
    except grpc.aio.AioRpcError as error:
        raise status.from_rpc_error(error, service.peer) from None
    finally:
        call.cancel()
    # What broke off half-way is no document.
    whole = {source: b"".join(parts) for source, parts in pieces.items() if source not in unreachable}
    return whole, unreachable


def dump_there(
    filename: str,
    format: str,
    exclude: Collection[str],
    storage_options: Mapping[str, Any],
    dask_scheduler: Any = None,
) -> None:
    """Write down what the cluster knows where the scheduler is. Runs there."""
    from dagrpc.client import Client

    with Client(dask_scheduler.address, set_as_default=False) as client:
        client.dump_cluster_state(
            filename, write_from_scheduler=False, exclude=exclude, format=format, **storage_options
        )
