"""Exactly-once delivery across streams: messages are numbered, and kept until they are acknowledged.

The sender cannot know whether a message arrived that it wrote to a broken stream. So each side counts the messages that
it has taken and puts the count into each message that it sends. On the next stream the sender repeats the messages that
follow. Each message is taken once and in order, however often the stream breaks. The cost is two numbers for each
message, which carries many items.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from dagrpc.exceptions import InvalidRequestError, UnknownSessionError

_PROMPT = 16
"""This many messages are acknowledged at once, because the sender keeps unacknowledged messages in memory."""
_PATIENCE = 0.25
"""Seconds after which fewer messages are acknowledged, unless a message that is sent meanwhile does so."""


class Delivery:
    """One side's account of the messages that it has sent and taken.

    Parameters
    ----------
    send_type : type
        Type of the messages that go out; it has fields ``number`` and ``received``.
    wake : callable
        Called when an acknowledgement is due.
    """

    def __init__(self, send_type: type[Any], wake: Callable[[], object]) -> None:
        self.sent = 0
        """The number of the last message that was sent."""
        self.taken = 0
        """The number of the last message that was taken."""
        self._send_type = send_type
        self._wake = wake
        self._told = 0
        """The number that was acknowledged last."""
        self._kept: deque[bytes] = deque()
        """The latest sent messages, which the peer may not have taken."""
        self.kept_bytes = 0
        """The bytes of the kept messages."""
        self._timer: asyncio.TimerHandle | None = None

    # --- out -----------------------------------------------------------------------------------------------------

    def stamp(self, data: bytes) -> bytes:
        """Number a serialized message, keep it until it is acknowledged, and return it."""
        self.sent += 1
        self._told = self.taken
        # Two serialized messages one after the other are one message with the fields of both.
        data += self._send_type(number=self.sent, received=self.taken).SerializeToString()
        self._kept.append(data)
        self.kept_bytes += len(data)
        return data

    def acknowledgement(self) -> bytes | None:
        """Return a message that acknowledges the messages taken so far; None if they are acknowledged already."""
        if self.taken == self._told:
            return None
        self._told = self.taken
        data: bytes = self._send_type(received=self.taken).SerializeToString()
        return data

    @property
    def kept(self) -> tuple[bytes, ...]:
        """The messages to send again on a new stream, in order."""
        return tuple(self._kept)

    # --- in ------------------------------------------------------------------------------------------------------

    def accept(self, message: Any) -> bool:
        """Count a message that came in; return false if it was taken before.

        Raises
        ------
        InvalidRequestError
            If a message before it is missing, or it acknowledges a message that was never sent.
        """
        if message.received:
            self.acknowledged(message.received)
        number: int = message.number
        if not number:
            return True
        if number <= self.taken:
            return False
        if number != self.taken + 1:
            raise InvalidRequestError(f"message {number} came where {self.taken + 1} was to come")
        self.taken = number
        if number - self._told >= _PROMPT:
            self._wake()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_PATIENCE, self._remind)
        return True

    def acknowledged(self, number: int) -> None:
        """Drop the messages up to `number`, which the peer has taken.

        Raises
        ------
        InvalidRequestError
            If message `number` was never sent.
        """
        if number > self.sent:
            raise InvalidRequestError(f"message {number} is acknowledged, and {self.sent} was the last one sent")
        kept = self._kept
        for _ in range(number - (self.sent - len(kept))):
            self.kept_bytes -= len(kept.popleft())

    def resume(self, received: int) -> None:
        """Prepare for a new stream, on which the messages after `received` are sent again.

        Raises
        ------
        UnknownSessionError
            If the peer cannot have taken message `received`: it means another session.
        """
        if not self.sent - len(self._kept) <= received <= self.sent:
            raise UnknownSessionError(f"the session cannot go on after message {received}")
        self.acknowledged(received)

    def close(self) -> None:
        """Drop all messages, and send no more acknowledgements."""
        self._kept.clear()
        self.kept_bytes = 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _remind(self) -> None:
        self._timer = None
        if self.taken != self._told:
            self._wake()
