"""A probe that tells a process that has ended from a broken network."""

from __future__ import annotations

import asyncio

from dagrpc._common.addresses import split_address

_PATIENCE = 1.0


async def is_refused(address: str, timeout: float = _PATIENCE) -> bool:
    """Return whether the host of an address answers that no process listens there.

    A missing answer or a broken connection does not count.
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
