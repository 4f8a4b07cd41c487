"""Finding the scheduler by a file that it writes."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

from dagrpc._common.addresses import parse_address
from dagrpc.exceptions import CommClosedError

_POLL = 0.01


async def scheduler_address(path: str, deadline: float | None) -> str:
    """Return the address in a scheduler file, waiting for the file to come.

    Parameters
    ----------
    path : str
        JSON with the key ``address``.
    deadline : float or None
        When to give up, on `time.monotonic`'s clock. None: never.

    Raises
    ------
    CommClosedError
        If the file does not come in time.
    ValueError
        If it is not a scheduler file.
    """
    file = Path(path)
    pause = _POLL
    while True:
        try:
            text = file.read_text()
        except FileNotFoundError:
            text = ""
        # It is made first and filled then.
        if text.strip():
            break
        if deadline is not None and time.monotonic() > deadline:
            raise CommClosedError(f"No scheduler file came at {path}")
        await asyncio.sleep(pause)
        # A scheduler that is started together with us comes soon; one that is not need not be polled for so often.
        pause = min(pause * 1.01, 1.0)
    try:
        return parse_address(json.loads(text)["address"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is not a scheduler file: it has no `address` ({error})") from None
