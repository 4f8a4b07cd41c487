"""The side of a session that serves a peer: the welcome comes first on the wire."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest

from dagrpc._peer.peer_session import PeerSession
from dagrpc.exceptions import UnknownSessionError
from dagrpc.v1.client_session_pb2 import ClientEvent, ClientWelcome, UpdateGraphRequest, UpdateGraphResponse


class Stream:
    """A stream whose peer sends nothing, and may break when it is written to."""

    def __init__(self, error: Exception | None = None) -> None:
        self.written: list[bytes] = []
        self.error = error
        self.ended = asyncio.Event()

    async def write(self, data: bytes) -> None:
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        self.written.append(data)

    async def read(self) -> Any:
        await self.ended.wait()
        return grpc.aio.EOF


def peer_on(stream: Stream, over: list[str]) -> PeerSession:
    async def welcome(_: Any) -> UpdateGraphResponse:
        return UpdateGraphResponse(welcome=ClientWelcome(scheduler_id="s"))

    return PeerSession(
        stream,
        lambda items: [UpdateGraphResponse(events=items)],
        UpdateGraphRequest,
        UpdateGraphResponse,
        "peer",
        b"token",
        0.0,
        welcome=welcome,
        on_away=lambda: None,
        on_back=lambda: None,
        on_over=over.append,
    )


def event() -> ClientEvent:
    found = ClientEvent()
    found.finished.key = "x"
    return found


def test_messages_to_a_new_member_follow_its_welcome() -> None:
    async def main() -> None:
        stream, over = Stream(), list[str]()
        peer = peer_on(stream, over)
        peer.session.send(event())
        holding = asyncio.ensure_future(peer.begin(lambda message: None))
        await asyncio.sleep(0)
        peer.session.send(event())
        while len(stream.written) < 2:
            await asyncio.sleep(0.001)
        first, second = map(UpdateGraphResponse.FromString, stream.written)
        assert first.welcome.scheduler_id == "s"
        assert [each.finished.key for each in second.events] == ["x", "x"]
        stream.ended.set()
        await holding

    asyncio.run(asyncio.wait_for(main(), 30))


def test_a_member_that_cannot_be_welcomed_is_gone_at_once() -> None:
    async def main() -> None:
        over: list[str] = []
        with pytest.raises(OSError, match="broken"):
            await peer_on(Stream(OSError("broken")), over).begin(lambda message: None)
        assert over == ["its connection broke before it was welcomed"]

    asyncio.run(asyncio.wait_for(main(), 30))


def test_a_member_that_was_replaced_meanwhile_is_not_held() -> None:
    async def main() -> None:
        stream, over = Stream(), list[str]()
        peer = peer_on(stream, over)
        holding = asyncio.ensure_future(peer.begin(lambda message: None))
        await asyncio.sleep(0)
        peer.end("it started a new session")
        with pytest.raises(UnknownSessionError, match="the session is over"):
            await holding
        assert over == ["it started a new session"]

    asyncio.run(asyncio.wait_for(main(), 30))
