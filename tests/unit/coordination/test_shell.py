"""Operations as messages, and the clock that drives them."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from dagrpc.exceptions import InvalidRequestError
from dagrpc.v1 import coordination_pb2 as pb
from dagrpc_scheduler.coordination.operations import Answer
from dagrpc_scheduler.core import events
from dagrpc_scheduler.shell.coordination.coordination_shell import CoordinationShell, write_answer


class Service:
    """Stands for the core's driver and the peers: collects answers to clients and events for the core."""

    def __init__(self, *clients: str) -> None:
        self.answers: dict[str, list[Answer]] = {client: [] for client in clients}
        self.told: list[events.Event] = []
        sessions = {client: SimpleNamespace(send=answers.append) for client, answers in self.answers.items()}
        self.clients = sessions

    def handle_batch(self, batch: list[events.Event]) -> None:
        self.told += batch


def coordinate(request: int, timeout: float | None = None, **operation: Any) -> pb.Coordinate:
    message = pb.Coordinate(request=request, name="n", **operation)
    if timeout is not None:
        message.timeout_seconds = timeout
    return message


def make(*clients: str) -> tuple[Service, CoordinationShell]:
    service = Service(*clients)
    return service, CoordinationShell(service, service)  # type: ignore[arg-type]


def test_waits_end_by_the_clock() -> None:
    async def main() -> None:
        service, coordination = make("a")
        coordination.take("a", coordinate(1, 0.05, wait_event=pb.WaitEvent()))
        coordination.take("a", coordinate(2, 0.01, get_variable=pb.GetVariable()))
        coordination.take("a", coordinate(3, float("nan"), wait_event=pb.WaitEvent()))
        coordination.take("a", coordinate(4, float("inf"), wait_event=pb.WaitEvent()))
        coordination.take("a", coordinate(5, -1.0, wait_event=pb.WaitEvent()))
        assert [answer.request for answer in service.answers["a"]] == [5]
        await asyncio.sleep(0.1)
        assert [(answer.request, answer.done) for answer in service.answers["a"]] == [
            (5, False),
            (2, False),
            (1, False),
        ]
        coordination.take("a", coordinate(6, set_event=pb.SetEvent()))
        assert [(answer.request, answer.done) for answer in service.answers["a"][3:]] == [
            (6, True),
            (3, True),
            (4, True),
        ]
        coordination.close()

    asyncio.run(main())


def test_values_pass_through_untouched() -> None:
    async def main() -> None:
        service, coordination = make("a", "b")
        value = pb.CoordinatedValue(data={"encoding": "pickle", "frame_lengths": [1, 2], "data": b"abc"}, keys=["x"])
        coordination.take("a", coordinate(1, put_queue=pb.PutQueue(value=value)))
        coordination.take("b", coordinate(1, get_queue=pb.GetQueue(count=1)))
        (answer,) = service.answers["b"]
        message = pb.Coordinated()
        write_answer(answer, message)
        assert message == pb.Coordinated(request=1, done=True, values=[value])
        coordination.client_gone("b")
        coordination.client_gone("never seen")
        added, wanted, removed = service.told
        assert isinstance(added, events.ClientAdded)
        assert isinstance(wanted, events.KeysWanted)
        assert (wanted.client, wanted.keys) == ("queue-n", ["x"])
        assert isinstance(removed, events.ClientRemoved)

    asyncio.run(main())


@pytest.mark.parametrize(
    "message",
    [
        coordinate(2),
        coordinate(1, wait_event=pb.WaitEvent()),
        coordinate(0, wait_event=pb.WaitEvent()),
        coordinate(2, acquire_locks=pb.AcquireLocks(names=["x", "x"], count=2)),
        coordinate(2, acquire_locks=pb.AcquireLocks(names=["x"])),
        coordinate(2, acquire_locks=pb.AcquireLocks()),
        coordinate(2, put_queue=pb.PutQueue()),
        coordinate(2, set_variable=pb.SetVariable(value=pb.CoordinatedValue(keys=["x"]))),
        pb.Coordinate(request=2, name="n" * 100_000, set_event=pb.SetEvent()),
    ],
)
def test_meaningless_requests_are_refused(message: pb.Coordinate) -> None:
    async def main() -> None:
        _, coordination = make("a")
        coordination.take("a", coordinate(1, set_event=pb.SetEvent()))
        with pytest.raises(InvalidRequestError):
            coordination.take("a", message)

    asyncio.run(main())


def test_references_to_nothing_are_ignored() -> None:
    async def main() -> None:
        service, coordination = make("a")
        coordination.take("a", coordinate(0, withdraw=pb.WithdrawRequest(request=77)))
        coordination.take("a", coordinate(0, took=pb.TookValues(request=77)))
        coordination.take("a", coordinate(0, renew_leases=pb.RenewLeases(leases=[77])))
        coordination.take("a", coordinate(1, release_lease=pb.ReleaseLease(lease=77)))
        coordination.take("a", coordinate(2, release_locks=pb.ReleaseLocks(lease=77)))
        coordination.take("a", coordinate(3, close_queue=pb.CloseQueue()))
        assert [answer.done for answer in service.answers["a"]] == [False, False, True]

    asyncio.run(main())
