"""Messages that are numbered, acknowledged and kept: everything is taken once, in order, whatever breaks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from dagrpc._peer.delivery import _PATIENCE, _PROMPT, Delivery
from dagrpc.exceptions import InvalidRequestError, UnknownSessionError
from dagrpc.v1 import client_session_pb2 as pb


class Side:
    """One side of a session, and what it has taken."""

    def __init__(self, send_type: type[Any] = pb.UpdateGraphRequest) -> None:
        self.woken = 0
        self.type = send_type
        self.delivery = Delivery(send_type, self.wake)
        self.taken: list[str] = []

    def wake(self) -> None:
        self.woken += 1

    def write(self, text: str) -> bytes:
        command = pb.ClientCommand(want=pb.WantKeys(keys=[text]))
        return self.delivery.stamp(pb.UpdateGraphRequest(commands=[command]).SerializeToString())

    def read(self, data: bytes) -> bool:
        message = pb.UpdateGraphRequest.FromString(data)
        accepted = self.delivery.accept(message)
        if accepted:
            self.taken += [command.want.keys[0] for command in message.commands]
        return accepted


def on_a_loop(body: Callable[[], None]) -> Callable[[], None]:
    """Run a test where timers can be set."""

    def test() -> None:
        async def run() -> None:
            body()

        asyncio.run(run())

    test.__doc__ = body.__doc__
    return test


@on_a_loop
def test_messages_are_numbered_and_say_what_was_taken() -> None:
    near, far = Side(), Side()
    first, second = near.write("a"), near.write("b")
    assert [pb.UpdateGraphRequest.FromString(data).number for data in (first, second)] == [1, 2]
    assert far.read(first)
    assert far.read(second)
    assert far.taken == ["a", "b"]
    answer = pb.UpdateGraphRequest.FromString(far.write("c"))
    assert (answer.number, answer.received) == (1, 2)
    assert answer.commands[0].want.keys == ["c"]
    far.delivery.close()


@on_a_loop
def test_acknowledged_messages_are_not_kept() -> None:
    near, far = Side(), Side()
    sent = [near.write(text) for text in "abc"]
    assert near.delivery.kept == tuple(sent)
    assert near.delivery.kept_bytes == sum(map(len, sent))
    far.read(sent[0])
    far.read(sent[1])
    assert near.read(far.delivery.acknowledgement() or b"")
    assert near.taken == []
    assert near.delivery.kept == (sent[2],)
    assert near.delivery.kept_bytes == len(sent[2])
    # It has been told, and is told nothing twice.
    assert far.delivery.acknowledgement() is None
    # Acknowledgements that come late say nothing new.
    near.delivery.acknowledged(1)
    assert near.delivery.kept == (sent[2],)
    far.delivery.close()


@on_a_loop
def test_after_a_break_the_rest_is_sent_again() -> None:
    near, far = Side(), Side()
    sent = [near.write(text) for text in "abcd"]
    far.read(sent[0])
    far.read(sent[1])
    near.delivery.resume(far.delivery.taken)
    assert near.delivery.kept == (sent[2], sent[3])
    for data in (*near.delivery.kept, near.write("e")):
        assert far.read(data)
    assert far.taken == list("abcde")
    far.delivery.close()


@on_a_loop
def test_duplicates_are_dropped() -> None:
    near, far = Side(), Side()
    sent = [near.write(text) for text in "ab"]
    assert [far.read(data) for data in (*sent, *sent, sent[0])] == [True, True, False, False, False]
    assert far.taken == ["a", "b"]
    far.delivery.close()


@on_a_loop
def test_a_gap_is_a_breach_of_the_contract() -> None:
    near, far = Side(), Side()
    near.write("a")
    with pytest.raises(InvalidRequestError, match="message 2 came where 1 was to come"):
        far.read(near.write("b"))
    assert far.taken == []
    far.delivery.close()


def test_nothing_is_acknowledged_that_was_never_sent() -> None:
    near = Side()
    sent = near.write("a")
    with pytest.raises(InvalidRequestError, match="message 2 is acknowledged, and 1 was the last one sent"):
        near.delivery.accept(pb.UpdateGraphRequest(received=2))
    assert near.delivery.kept == (sent,)


@pytest.mark.parametrize("received", [0, 4, 2**63])
def test_a_session_goes_on_where_it_can_only(received: int) -> None:
    near = Side()
    sent = [near.write(text) for text in "abc"]
    near.delivery.acknowledged(1)
    with pytest.raises(UnknownSessionError, match=f"cannot go on after message {received}"):
        near.delivery.resume(received)
    assert near.delivery.kept == (sent[1], sent[2])


def test_messages_without_a_number_are_taken() -> None:
    far = Side()
    assert far.delivery.accept(pb.UpdateGraphRequest())
    assert far.delivery.taken == 0


@on_a_loop
def test_many_are_acknowledged_at_once() -> None:
    near, far = Side(), Side()
    for number in range(_PROMPT - 1):
        far.read(near.write(str(number)))
    assert far.woken == 0
    far.read(near.write("last"))
    assert far.woken == 1
    far.delivery.close()


def test_few_are_acknowledged_soon() -> None:
    async def run() -> None:
        woken = asyncio.Event()
        near, far = Side(), Delivery(pb.UpdateGraphRequest, woken.set)
        far.accept(pb.UpdateGraphRequest.FromString(near.write("a")))
        await asyncio.wait_for(woken.wait(), 40 * _PATIENCE)
        near.read(far.acknowledgement() or b"")
        assert near.delivery.kept == ()

    asyncio.run(run())


@on_a_loop
def test_memory_is_bounded_while_both_sides_talk() -> None:
    near, far = Side(), Side()
    largest = 0
    for number in range(5_000):
        far.read(near.write(str(number)))
        if far.woken:
            far.woken = 0
            near.read(far.delivery.acknowledgement() or b"")
        largest = max(largest, len(near.delivery.kept))
    assert largest <= _PROMPT
    assert far.taken == [str(number) for number in range(5_000)]
    far.delivery.close()
    near.delivery.close()
    assert (near.delivery.kept, near.delivery.kept_bytes) == ((), 0)
