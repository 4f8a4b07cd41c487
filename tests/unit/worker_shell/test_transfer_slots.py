"""The limits on concurrent transfers and bytes that a worker serves."""

import asyncio

import pytest

from dagrpc.exceptions import LimitReachedError
from dagrpc_worker.servicers.data_transfers import TransferSlots


def test_peers_are_refused_and_clients_wait_while_too_many_bytes_are_under_way():
    async def main():
        slots = TransferSlots(10, nbytes=100)

        async def one(requester):
            async with slots.slot(requester):
                return slots.active

        async with slots.slot("peer"):
            slots.budget.take(99)
            # There is room for one more, however large it is.
            assert await one("other") == 2
            slots.budget.take(500)
            with pytest.raises(LimitReachedError):
                await one("other")
            client = asyncio.ensure_future(one(""))
            for _ in range(5):
                await asyncio.sleep(0)
            assert not client.done()
            slots.budget.give(500)
            assert await client == 2
            slots.budget.give(99)
        assert slots.active == slots.budget.used == 0

    asyncio.run(main())


def test_any_number_of_bytes_without_a_limit():
    async def main():
        slots = TransferSlots(2)
        slots.budget.take(2**50)
        async with slots.slot("peer"):
            assert not slots.budget.exhausted

    asyncio.run(main())
