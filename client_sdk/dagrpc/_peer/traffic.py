"""Counts of the messages of sessions, for metrics."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Traffic:
    """Messages that the sessions with one kind of peer have sent and received."""

    messages_sent: int = 0
    """Messages, or fragments of large ones, that were written to streams."""
    bytes_sent: int = 0
    messages_received: int = 0
    """Messages, or fragments of large ones, that were read from streams."""
    resumptions: int = 0
    """How often a session went on with another stream after its own broke."""
