"""What lets a session outlive its streams: messages are numbered, acknowledged, and kept until they are.

A message that was sent on a stream that broke has arrived, or has not: nobody can tell. So each side counts what it has
taken, says so in whatever it sends, and, on the next stream, gets all that came after that once more. Everything is
taken once, in order, whatever happens to the streams. The cost is two numbers for each message, which carries many
items.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from dagrpc.exceptions import InvalidRequestError, UnknownSessionError

_PROMPT = 16
"""So many messages are acknowledged at once: what is not acknowledged takes up memory at the sender."""
_PATIENCE = 0.25
"""Fewer are after so many seconds, unless something is sent anyway."""


class Delivery:
    """One side's account of what it has sent and taken.

    Parameters
    ----------
    send_type : type
        Type of the messages that go out; it has fields ``number`` and ``received``.
    wake : callable
        Called when an acknowledgement is to be sent, though nothing else may be.
    """

    def __init__(self, send_type: type[Any], wake: Callable[[], object]) -> None:
        self.sent = 0
        """The number of the last message that went out."""
        self.taken = 0
        """The number of the last that was taken."""
        self._send_type = send_type
        self._wake = wake
        self._told = 0
        """The last that the peer was told of."""
        self._kept: deque[bytes] = deque()
        """What the peer may not have taken: the latest of what went out."""
        self.kept_bytes = 0
        """How many bytes that is."""
        self._timer: asyncio.TimerHandle | None = None

    # --- out -----------------------------------------------------------------------------------------------------

    def stamp(self, data: bytes) -> bytes:
        """Number a serialized message, keep it until the peer has taken it, and return it."""
        self.sent += 1
        self._told = self.taken
        # Serialized messages that are joined are a message with the fields of both.
        data += self._send_type(number=self.sent, received=self.taken).SerializeToString()
        self._kept.append(data)
        self.kept_bytes += len(data)
        return data

    def acknowledgement(self) -> bytes | None:
        """Return a message that says what was taken, if the peer was not told yet."""
        if self.taken == self._told:
            return None
        self._told = self.taken
        data: bytes = self._send_type(received=self.taken).SerializeToString()
        return data

    @property
    def kept(self) -> tuple[bytes, ...]:
        """What is to be sent once more on a new stream, in order."""
        return tuple(self._kept)

    # --- in ------------------------------------------------------------------------------------------------------

    def accept(self, message: Any) -> bool:
        """Take note of a message that came in; return whether it is to be taken.

        Raises
        ------
        InvalidRequestError
            If one is missing before it, or it acknowledges what was never sent.
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
        """Forget what the peer has taken.

        Raises
        ------
        InvalidRequestError
            If it was never sent.
        """
        if number > self.sent:
            raise InvalidRequestError(f"message {number} is acknowledged, and {self.sent} was the last one sent")
        kept = self._kept
        for _ in range(number - (self.sent - len(kept))):
            self.kept_bytes -= len(kept.popleft())

    def resume(self, received: int) -> None:
        """Begin with a new stream: the peer has taken what came up to `received`.

        Raises
        ------
        UnknownSessionError
            If that cannot be: it is another session that the peer means.
        """
        if not self.sent - len(self._kept) <= received <= self.sent:
            raise UnknownSessionError(f"the session cannot go on after message {received}")
        self.acknowledged(received)

    def close(self) -> None:
        """Keep nothing any more."""
        self._kept.clear()
        self.kept_bytes = 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _remind(self) -> None:
        self._timer = None
        if self.taken != self._told:
            self._wake()
