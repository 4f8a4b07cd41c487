"""A channel that sends a token with every call.

gRPC's call credentials require TLS, and its interceptors slow down each message of a stream. This channel only adds a
tuple to each call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc

from dagrpc._auth.tokens import HEADER, SCHEME


class TokenChannel(grpc.aio.Channel):  # type: ignore[misc]
    """A channel whose calls have a token in their metadata.

    Parameters
    ----------
    channel : grpc.aio.Channel
        The channel that makes the calls.
    token : str
        The token.
    """

    def __init__(self, channel: grpc.aio.Channel, token: str) -> None:
        self._channel = channel
        self._metadata = ((HEADER, SCHEME + token),)

    def _with_token(self, call: Callable[..., Any]) -> Callable[..., Any]:
        mine = self._metadata

        def begin(*args: Any, metadata: Any = None, **kwargs: Any) -> Any:
            return call(*args, metadata=(*metadata, *mine) if metadata else mine, **kwargs)

        return begin

    def unary_unary(self, *args: Any, **kwargs: Any) -> Any:
        return self._with_token(self._channel.unary_unary(*args, **kwargs))

    def unary_stream(self, *args: Any, **kwargs: Any) -> Any:
        return self._with_token(self._channel.unary_stream(*args, **kwargs))

    def stream_unary(self, *args: Any, **kwargs: Any) -> Any:
        return self._with_token(self._channel.stream_unary(*args, **kwargs))

    def stream_stream(self, *args: Any, **kwargs: Any) -> Any:
        return self._with_token(self._channel.stream_stream(*args, **kwargs))

    async def __aenter__(self) -> TokenChannel:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self, grace: float | None = None) -> None:
        await self._channel.close(grace)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        return self._channel.get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        await self._channel.wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        await self._channel.channel_ready()
