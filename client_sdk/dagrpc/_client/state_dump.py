"""Collects the state of all processes of a cluster and writes it to a file."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Mapping
from functools import partial
from typing import Any

import grpc

from dagrpc._client import introspection_rpcs
from dagrpc._client.client_core import ClientCore
from dagrpc._client.client_session import ClientSession
from dagrpc._client.waiting import Operation, RunInThread, RunOnLoop
from dagrpc._rpc import error_status
from dagrpc.cluster_dump import without, write_dump
from dagrpc.v1 import introspection_service_pb2 as pb

_PIECE_SECONDS = 120.0
"""Seconds in which the next piece of a document has to come."""


def dump(
    core: ClientCore, filename: str, format: str, exclude: Collection[str], storage_options: Mapping[str, Any]
) -> Operation[None]:
    """Collect the state of the cluster and write it to a file."""
    core.check_open()
    documents, unreachable = yield RunOnLoop(core.loop, _documents(core.session))
    versions = yield RunOnLoop(core.loop, introspection_rpcs.versions(core.session, (), on_error="ignore"))
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
    """Return the documents of the scheduler and its workers, and by worker why there is no document."""
    await session.ping()
    service = introspection_rpcs.introspection_service(session)
    call = service.open_download("DumpState", pb.DumpStateRequest(with_workers=True))
    pieces: dict[str, list[bytes]] = {}
    unreachable: dict[str, str] = {}
    try:
        while (data := await asyncio.wait_for(call.read(), _PIECE_SECONDS)) is not grpc.aio.EOF:
            piece = pb.DumpStateResponse.FromString(data)
            if piece.unreachable:
                unreachable[piece.source] = piece.unreachable
            else:
                pieces.setdefault(piece.source, []).append(piece.data)
    except grpc.aio.AioRpcError as error:
        raise error_status.from_rpc_error(error, service.peer) from None
    finally:
        call.cancel()
    # A document that broke off is left out.
    whole = {source: b"".join(parts) for source, parts in pieces.items() if source not in unreachable}
    return whole, unreachable


def dump_from_scheduler(
    filename: str,
    format: str,
    exclude: Collection[str],
    storage_options: Mapping[str, Any],
    dask_scheduler: Any = None,
) -> None:
    """Collect and write the state on the scheduler's machine. The scheduler runs this function."""
    # By its public name: the module of the class imports this one.
    from dagrpc import Client

    with Client(dask_scheduler.address, set_as_default=False) as client:
        client.dump_cluster_state(
            filename, write_from_scheduler=False, exclude=exclude, format=format, **storage_options
        )
