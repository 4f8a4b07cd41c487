"""Finds the scheduler by the file that it writes."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

from dagrpc._common.addresses import parse_address
from dagrpc.exceptions import CommClosedError

_POLL = 0.01


async def scheduler_address(path: str, deadline: float | None) -> str:
    """Return the address in a scheduler file, after waiting for the file.

    Parameters
    ----------
    deadline : float or None
        When to give up, by `time.monotonic`; None: never.

    Raises
    ------
    CommClosedError
        If there is no file in time.
    ValueError
        If the file is no scheduler file.
    """
    file = Path(path)
    pause = _POLL
    while True:
        try:
            text = file.read_text()
        except FileNotFoundError:
            text = ""
        # The file exists a moment before it has content.
        if text.strip():
            break
        if deadline is not None and time.monotonic() > deadline:
            raise CommClosedError(f"There is no scheduler file at {path}")
        await asyncio.sleep(pause)
        # A scheduler that is started together with the worker writes its file soon; later, fewer checks suffice.
        pause = min(pause * 1.01, 1.0)
    try:
        return parse_address(json.loads(text)["address"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is not a scheduler file: it has no `address` ({error})") from None
