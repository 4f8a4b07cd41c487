"""Chooses the results to fetch, and the peers to fetch them from.

Each result is queued with several of its holders. A transfer takes the most urgent results that are queued with one
peer, up to a number of bytes. The numbers of transfers in all and per peer are limited, so results that are requested
while a peer has its maximum of transfers are grouped into the peer's next transfer.

The next peer is the one with the most urgent result; among equals, a peer on this host, then the peer with the fewest
bytes under way, then the peer that was asked least recently.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TypeAlias
from zlib import crc32

from dagrpc._common.backoff import pause_after
from dagrpc_worker.core.instructions import GatherData, RetryPeerLater
from dagrpc_worker.core.model import FETCH, NO_TICKET, Peer, TaskState, WorkerState, host_of

_Rank: TypeAlias = tuple[tuple[float, ...], int, bool, int, int, str]


def queue_fetch(state: WorkerState, task: TaskState) -> None:
    """Queue a result with its holders, or with a few of them if there are many."""
    holders = task.holders
    state.new_ticket(task)
    if len(holders) > state.config.holders_considered:
        holders = _some_holders(state, task)
    peers = state.peers
    for address in holders:
        peer = peers.get(address)
        if peer is None:
            peer = peers[address] = Peer(address, host_of(address) != state.host)
        peer.queue.push(task)


def _some_holders(state: WorkerState, task: TaskState) -> tuple[str, ...]:
    """Return a few holders: first those on this host, then others, which differ between workers and calls."""
    holders = task.holders
    limit = state.config.holders_considered
    chosen = [holder for holder in holders if host_of(holder) == state.host][:limit]
    # Not `hash`, which differs from process to process: the core must be replayable.
    first = (crc32(state.address.encode()) + state.last_ticket) % len(holders)
    for holder in holders[first:] + holders[:first]:
        if len(chosen) == limit:
            break
        if holder not in chosen:
            chosen.append(holder)
    return tuple(chosen)


def start_gathers(state: WorkerState) -> None:
    """Begin as many transfers as are allowed."""
    if state.paused or not state.counts[FETCH]:
        return
    ranked = [rank for peer in list(state.peers.values()) if (rank := rank_of(state, peer)) is not None]
    heapify(ranked)
    while ranked and may_gather(state):
        rank = heappop(ranked)
        peer = state.peers[rank[-1]]
        current = rank_of(state, peer)
        if current == rank:
            _start_gather(state, peer)
            current = rank_of(state, peer)
        if current is not None:
            heappush(ranked, current)


def may_gather(state: WorkerState) -> bool:
    """Return whether another transfer may begin."""
    config = state.config
    return state.gathers < config.gathers and (not state.gathers or state.gathers_nbytes < config.gathers_nbytes)


def rank_of(state: WorkerState, peer: Peer) -> _Rank | None:
    """Return the rank of a peer, the lowest first; None if it may not be asked or has no wanted result."""
    if peer.resting or len(peer.calls) >= state.config.gathers_per_peer:
        return None
    task = peer.queue.peek()
    if task is None:
        return None
    return task.priority, task.ticket, peer.remote, peer.nbytes, peer.last_call, peer.address


def _start_gather(state: WorkerState, peer: Peer) -> None:
    """Begin a transfer of the most urgent results of a peer."""
    config = state.config
    room = min(config.gather_nbytes, config.gathers_nbytes - state.gathers_nbytes)
    total = 0
    call: dict[str, int] = {}
    while (task := peer.queue.peek()) is not None and len(call) < config.gather_keys:
        if call and total + task.nbytes > room:
            break
        peer.queue.pop()
        total += task.nbytes
        call[task.key] = task.nbytes
        task.ticket = NO_TICKET
        task.peer = peer.address
        state.touched.append(task)
    peer.calls.append(call)
    peer.nbytes += total
    state.last_call = peer.last_call = state.last_call + 1
    state.gathers += 1
    state.gathers_nbytes += total
    state.gathers_started += 1
    state.gathered_nbytes += total
    state.starts.append(GatherData(peer.address, list(call), total))


def end_gather(state: WorkerState, address: str, mentioned: list[str]) -> dict[str, int]:
    """End the transfer that has one of the keys mentioned. Return the sizes of its results by key.

    The result is empty if there is no such transfer.
    """
    peer = state.peers.get(address)
    if peer is None:
        return {}
    for call in peer.calls:
        if any(key in call for key in mentioned):
            break
    else:
        if mentioned or not peer.calls:
            return {}
        call = peer.calls[0]
    peer.calls.remove(call)
    total = sum(call.values())
    peer.nbytes -= total
    state.gathers -= 1
    state.gathers_nbytes -= total
    for key in call:
        task = state.tasks[key]
        task.peer = ""
        state.touched.append(task)
    return call


def rest_peer(state: WorkerState, address: str) -> None:
    """Allow no transfers from a peer for a while, which is longer each time."""
    peer = state.peers.get(address)
    if peer is None or peer.resting:
        return
    config = state.config
    peer.resting = True
    peer.refusals += 1
    delay = pause_after(peer.refusals, config.retry_delay, config.retry_delay_limit)
    state.reports.append(RetryPeerLater(address, delay))


def forget_idle_peers(state: WorkerState) -> None:
    """Forget peers without transfers or wanted results."""
    for peer in list(state.peers.values()):
        if not peer.calls and not peer.resting and peer.queue.peek() is None:
            del state.peers[peer.address]
