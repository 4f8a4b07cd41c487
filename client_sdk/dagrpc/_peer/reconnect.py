"""The attempts to reach a peer again after a stream broke."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

from dagrpc._common.addresses import is_loopback
from dagrpc._common.backoff import pauses
from dagrpc._rpc.probe import is_refused

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 2.0
"""Seconds between two attempts to reach a peer, at first and at most."""


class ReconnectRules(Protocol):
    """The steps by which a peer connects again, and when it gives up."""

    @property
    def transient(self) -> tuple[type[Exception], ...]:
        """Errors of an attempt after which another one follows."""

    async def before_attempt(self, begun: float) -> float | None:
        """Return the seconds that the next attempt may take; raise to give up.

        `begun` is the time of the break on `time.monotonic`'s clock.
        """

    async def attempt(self) -> None:
        """Open another stream, which resumes the session or begins a new one."""

    def after_failure(self, error: Exception) -> None:
        """Note a transient error of an attempt; raise to give up."""


async def reconnect(rules: ReconnectRules) -> None:
    """Attempt to open another stream, after pauses that grow, until one is open or the rules raise."""
    begun = time.monotonic()
    for pause in pauses(FIRST_PAUSE, LONGEST_PAUSE, jitter=True):
        limit = await rules.before_attempt(begun)
        try:
            async with asyncio.timeout(limit):
                await rules.attempt()
            return
        except rules.transient as error:
            rules.after_failure(error)
        await asyncio.sleep(pause)


async def process_is_gone(address: str) -> bool:
    """Return whether a peer's process has ended, as far as it can be known: on this host nobody listens any more."""
    return is_loopback(address) and await is_refused(address)
