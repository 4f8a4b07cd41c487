"""Questions about what goes on in the cluster: one coroutine each, to be run on the IO loop."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from dagrpc._client.options import Workers, worker_names
from dagrpc._client.session import ClientSession
from dagrpc._io.channels import ServiceClient
from dagrpc._profiling.trees import Profile, from_message, new_profile
from dagrpc._util.keys import Key, decode_key
from dagrpc.exceptions import UnknownKeyError
from dagrpc.v1 import diagnostics_service_pb2 as pb

logger = logging.getLogger("dagrpc.client")

SERVICE = pb.DESCRIPTOR.services_by_name["DiagnosticsService"]


def diagnostics_client(session: ClientSession) -> ServiceClient:
    """Return a client of the scheduler's DiagnosticsService."""
    session.check_open()
    assert session.scheduler is not None
    return ServiceClient(session.scheduler.channel, SERVICE, session.scheduler.peer)


def _warn_of_silent(workers: Sequence[str], what: str) -> None:
    if workers:
        logger.warning("Without %s of workers that did not answer: %s", what, ", ".join(workers))


async def call_stacks(session: ClientSession, wires: Sequence[str] | None) -> dict[str, dict[Key, tuple[str, ...]]]:
    """Return the call stacks of tasks that run, by worker and key. None asks about all.

    Raises
    ------
    KeyError
        If a key is not known.
    """
    if wires is not None and not wires:
        return {}
    try:
        response = await diagnostics_client(session).call(
            "GetCallStacks", pb.GetCallStacksRequest(keys=wires), pb.GetCallStacksResponse
        )
    except UnknownKeyError as error:
        raise KeyError(str(error)) from None
    _warn_of_silent(response.unreachable, "call stacks")
    return {
        entry.worker: {decode_key(stack.key): tuple(stack.frames) for stack in entry.stacks}
        for entry in response.workers
    }


async def profile(
    session: ClientSession,
    subject: pb.ProfileSubject,
    prefix: str = "",
    start: float = 0.0,
    stop: float = 0.0,
    workers: Workers = None,
    merge_workers: bool = True,
) -> Profile | dict[str, Profile]:
    """Return what time was spent on: one profile, or one for each worker."""
    names = worker_names(workers)
    if workers is not None and not names:
        return new_profile() if merge_workers else {}
    request = pb.GetProfileRequest(
        subject=subject, prefix=prefix, start=start, stop=stop, workers=names, by_worker=not merge_workers
    )
    response = await diagnostics_client(session).call("GetProfile", request, pb.GetProfileResponse)
    _warn_of_silent(response.unreachable, "the profiles")
    found: dict[str, Any] = {entry.worker: from_message(entry.profile) for entry in response.profiles}
    if merge_workers or subject == pb.PROFILE_SUBJECT_SCHEDULER:
        return found.get("") or new_profile()
    return found
