"""The part of a `ClientSession` that its coordination client and its topics use."""

from __future__ import annotations

from typing import Protocol

from dagrpc._client.commands import Command
from dagrpc._client.key_table import KeyTable
from dagrpc._loop.io_loop import LoopThread


class SessionPort(Protocol):
    """A session that queues commands for the scheduler."""

    loop: LoopThread
    table: KeyTable
    status: str

    @property
    def lives(self) -> bool:
        """Whether the session is connected, or may be again."""

    def check_open(self) -> None:
        """Raise if the client is closed."""

    def send(self, command: Command) -> None:
        """Queue a command."""
