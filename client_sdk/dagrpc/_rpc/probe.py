"""Whether somebody listens at an address: tells a process that is gone from a network that is."""

from __future__ import annotations

import asyncio

from dagrpc._common.addresses import split_address

_PATIENCE = 1.0


async def is_refused(address: str, timeout: float = _PATIENCE) -> bool:
    """Tell whether the host of an address says that nobody listens there.

    That no answer comes, or that a connection breaks, says nothing.
    """
    host, port = split_address(address)
    try:
        async with asyncio.timeout(timeout):
            _, writer = await asyncio.open_connection(host, port)
    except ConnectionRefusedError:
        return True
    except (OSError, TimeoutError):
        return False
    writer.close()
    return False
