"""Every instruction of the worker's core has a part of the worker that carries it out."""

from __future__ import annotations

import asyncio
from typing import Any, get_args

from dagrpc_worker.core import events, instructions
from dagrpc_worker.core.instructions import Instruction
from dagrpc_worker.shell.dispatch import Dispatcher
from dagrpc_worker.shell.session.translate_out import REPORTS


class Part:
    """Notes the calls of a part of the worker."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.actors = None

    def __getattr__(self, name: str) -> Any:
        return lambda *args: self.calls.append((name, *args))


def make() -> tuple[Dispatcher, Part, list[Any], list[events.Event]]:
    part, sent, posted = Part(), [], []  # type: ignore[var-annotated]
    anything: Any = part
    return Dispatcher(anything, anything, anything, sent.append, posted.append), part, sent, posted


def test_every_instruction_is_either_a_report_or_carried_out() -> None:
    dispatcher, _, _, _ = make()
    kinds = set(get_args(Instruction))
    assert kinds
    assert kinds - set(dispatcher._actions) - set(REPORTS) == set()
    assert not set(dispatcher._actions) & set(REPORTS)


def test_reports_of_a_batch_are_sent_together_after_its_instructions() -> None:
    dispatcher, part, sent, _ = make()
    first, second = instructions.ReportRescheduled("x", 1), instructions.ReportRescheduled("y", 2)
    task = instructions.Execute("z", 3, None)
    dispatcher([first, instructions.DropData(["a"]), task, instructions.CancelExecution("z", 3), second])
    assert sent == [[first, second]]
    assert part.calls == [("drop", ["a"]), ("submit", task), ("cancel", "z", 3)]


def test_a_batch_without_reports_sends_nothing() -> None:
    dispatcher, part, sent, _ = make()
    dispatcher([instructions.Interrupt("x", 1, 2.0), instructions.DetachThread("x", 1, True)])
    assert part.calls == [("interrupt", "x", 1, 2.0), ("detach", "x", 1, True)]
    assert not sent


def test_timers_post_events_until_the_dispatcher_closes() -> None:
    async def body() -> None:
        dispatcher, _, _, posted = make()
        dispatcher([instructions.WakeLater(0.0), instructions.RetryPeerLater("peer:1", 0.0)])
        while len(posted) < 2:
            await asyncio.sleep(0)
        assert posted == [events.DeadlineReached(), events.PeerRetryDue("peer:1")]
        dispatcher([instructions.RetryPeerLater("peer:1", 0.0), instructions.WakeLater(0.0)])
        dispatcher.close()
        await asyncio.sleep(0.05)
        assert len(posted) == 2

    asyncio.run(body())
