"""The rpc FetchData of WorkerService: serves results to a peer over a stream that stays open."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from dagrpc._loop.io_loop import cancel_all, spawn
from dagrpc._peer.session import Session
from dagrpc._transfer import same_host, transfers
from dagrpc._transfer.transfers import OutgoingValue
from dagrpc.exceptions import InvalidRequestError, LimitReachedError
from dagrpc.v1 import worker_service_pb2 as pb
from dagrpc_worker.servicers.data_transfers import READING_SECONDS, DataServicer

logger = logging.getLogger("dagrpc.worker")


async def fetch_data(data: DataServicer, context: Any) -> None:
    """Answer the fetches of one stream until it ends."""
    serving = _Serving(data, context)
    try:
        await serving.session.run(serving.on_message)
    finally:
        await serving.close()


class _Serving:
    """The fetches of one stream."""

    def __init__(self, data: DataServicer, context: Any) -> None:
        self._data = data
        self.session: Session[pb.Fetched] = Session(context, _encode, pb.FetchDataRequest, "a peer")
        self._begun: dict[int, _Hold] = {}
        """Slots of the values that are being encoded, or read by the peer, by number of the fetch."""
        self._tasks: set[asyncio.Task[None]] = set()

    def on_message(self, message: pb.FetchDataRequest) -> None:
        """Answer a batch of fetches."""
        for number in message.read:
            self._release(number)
        for fetch in message.fetches:
            self._answer(fetch)

    def _answer(self, fetch: pb.Fetch) -> None:
        number, request = fetch.number, fetch.request
        if number in self._begun:
            raise InvalidRequestError(f"fetch {number} is under way already")
        here = same_host.is_here(request.host)
        chosen, total = self._data.choose(request.keys, request.max_bytes)
        at_once = self._data.is_quick(total, request.keys)
        if not at_once and not here:
            self._refuse(number, pb.FETCH_REFUSAL_TOO_LARGE)
            return
        try:
            self._begun[number] = _Hold(self._data, total)
        except LimitReachedError:
            self._refuse(number, pb.FETCH_REFUSAL_BUSY)
            return
        if at_once:
            self._send(number, self._data.encode_all(chosen, request.families), here)
        else:
            spawn(self._send_later(number, chosen, request.families), self._tasks)

    async def _send_later(self, number: int, chosen: Sequence[tuple[str, bool]], families: Sequence[str]) -> None:
        """Encode large values in a thread, then answer."""
        try:
            self._send(number, await asyncio.to_thread(self._data.encode_all, chosen, families), True)
        except Exception:
            logger.exception("A fetch failed")
            # The peer asks again by GetData, whose answer has the error.
            self._release(number)
            self._refuse(number, pb.FETCH_REFUSAL_TOO_LARGE)

    def _send(self, number: int, values: Sequence[OutgoingValue], here: bool) -> None:
        manifest = transfers.whole_manifest(values, here)
        if manifest is None:
            self._refuse(number, pb.FETCH_REFUSAL_TOO_LARGE)
        else:
            self._data.sent.add(bool(manifest.pid), self._begun[number].nbytes)
            self.session.send(pb.Fetched(number=number, manifest=manifest))
        if manifest is not None and manifest.pid:
            # The peer reads the frames now. They stay alive until the peer reports that it has read them.
            self._begun[number].keep(values, lambda: self._release(number))
        else:
            self._release(number)

    def _refuse(self, number: int, refusal: pb.FetchRefusal) -> None:
        self.session.send(pb.Fetched(number=number, refusal=refusal))

    def _release(self, number: int) -> None:
        hold = self._begun.pop(number, None)
        if hold is not None:
            hold.end()

    async def close(self) -> None:
        """Release all values and cancel what is being encoded."""
        await cancel_all(self._tasks)
        for number in list(self._begun):
            self._release(number)


class _Hold:
    """A slot of one fetch, and the values that are being sent.

    Raises
    ------
    LimitReachedError
        If no slot is free.
    """

    def __init__(self, data: DataServicer, nbytes: int) -> None:
        self._slots, self.nbytes = data.slots, nbytes
        self._slots.take()
        self._slots.budget.take(nbytes)
        self._slots.total_nbytes += nbytes
        self._values: Sequence[OutgoingValue] = ()
        self._timer: asyncio.TimerHandle | None = None

    def keep(self, values: Sequence[OutgoingValue], give_up: Any) -> None:
        """Keep values alive until the peer has read them, for a limited time."""
        self._values = values
        self._timer = asyncio.get_running_loop().call_later(READING_SECONDS, give_up)

    def end(self) -> None:
        """Return the slot."""
        if self._timer is not None:
            self._timer.cancel()
        self._values = ()
        self._slots.budget.give(self.nbytes)
        self._slots.give()


def _encode(answers: Iterable[pb.Fetched]) -> Iterator[pb.FetchDataResponse]:
    message, size = pb.FetchDataResponse(), 0
    for answer in answers:
        message.answers.append(answer)
        size += len(answer.manifest.data)
        if size > transfers.WHOLE:
            yield message
            message, size = pb.FetchDataResponse(), 0
    if message.answers:
        yield message
