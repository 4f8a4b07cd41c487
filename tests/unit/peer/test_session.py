"""However a session's stream ends, another one can take its place."""

from __future__ import annotations

import asyncio
import gc

import pytest

from dagrpc._peer.session import Session
from dagrpc.v1 import worker_session_pb2 as pb


class SilentStream:
    """A stream without incoming messages, whose cancellation takes a moment, as with gRPC's streams."""

    async def read(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)

    async def write(self, data: bytes) -> None:
        await asyncio.sleep(0)


@pytest.mark.parametrize("turns", range(8))
def test_a_session_ends_however_its_call_ends(turns: int) -> None:
    """A call whose connection turns out to be dead is cancelled while its session ends: any number of turns later."""

    async def main() -> None:
        session: Session[object] = Session(
            SilentStream(), lambda _: (), pb.ComputeRequest, "a peer", pb.ComputeResponse
        )
        call = asyncio.create_task(session.run(lambda _: None))
        await asyncio.sleep(0)
        session.abort()
        for _ in range(turns):
            await asyncio.sleep(0)
        call.cancel()
        await session.detach()
        assert not session.running
        session.attach(SilentStream(), 0)
        again = asyncio.create_task(session.run(lambda _: None))
        await asyncio.sleep(0)
        assert session.running
        await session.detach()
        await asyncio.gather(call, again, return_exceptions=True)

    asyncio.run(asyncio.wait_for(main(), 20))


class BrokenStream:
    """A stream on which reads and writes fail."""

    async def read(self) -> None:
        raise ConnectionError("gone")

    async def write(self, data: bytes) -> None:
        await asyncio.sleep(0)
        raise ConnectionError("cannot be written to")


def test_the_end_of_a_broken_stream_is_told_once() -> None:
    """Reading and writing both fail; what is not raised is nothing that nobody has asked for."""
    complaints: list[dict[str, object]] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        session: Session[object] = Session(BrokenStream(), lambda items: map(_message, items), pb.ComputeRequest, "it")
        call = asyncio.create_task(session.run(lambda _: None))
        session.send(1)
        with pytest.raises(ConnectionError, match="gone"):
            await call
        assert not session.running

    asyncio.run(asyncio.wait_for(main(), 20))
    gc.collect()
    assert complaints == []


def _message(_: object) -> pb.ComputeResponse:
    return pb.ComputeResponse()
