"""Stories and versions of all processes, fetched from the scheduler. Coroutines for the IO loop."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from dagrpc._client.client_session import ClientSession
from dagrpc._client.services import scheduler_service
from dagrpc._common.keys import decode_key
from dagrpc._common.versions import host_facts, package_versions
from dagrpc._graph.lower import checked_key
from dagrpc._rpc.channels import ServiceClient
from dagrpc.exceptions import CommClosedError
from dagrpc.future import Future
from dagrpc.v1 import introspection_service_pb2 as pb

_INTROSPECTION_SERVICE = pb.DESCRIPTOR.services_by_name["IntrospectionService"]
_WORKERS_SECONDS = 60.0
"""Seconds in which workers have to answer."""


def introspection_service(session: ClientSession) -> ServiceClient:
    """Return a client of the scheduler's IntrospectionService."""
    return scheduler_service(session, _INTROSPECTION_SERVICE)


async def story(session: ClientSession, keys_or_stimuli: Iterable[Any], on_error: str) -> list[tuple[Any, ...]]:
    """Return the transitions of tasks, or those with some causes, oldest first."""
    names = [item.bound_state().wire_key if isinstance(item, Future) else checked_key(item) for item in keys_or_stimuli]
    request = pb.GetStoryRequest(keys_or_stimuli=names, with_workers=True)
    response = await introspection_service(session).call(
        "GetStory", request, pb.GetStoryResponse, timeout=_WORKERS_SECONDS
    )
    if on_error == "raise":
        _raise_unreachable(response.unreachable)
    return sorted((_entry(transition) for transition in response.transitions), key=lambda entry: entry[-1])


def _entry(transition: pb.Transition) -> tuple[Any, ...]:
    key = decode_key(transition.key)
    finish = [transition.finish] if transition.source == "scheduler" else [transition.finish] * 2
    return (transition.source, key, transition.start, *finish, {}, transition.stimulus, transition.time)


async def versions(session: ClientSession, packages: Sequence[str], on_error: str = "raise") -> dict[str, Any]:
    """Return the versions on the scheduler, its workers and this process."""
    request = pb.GetVersionsRequest(packages=packages, with_workers=True)
    response = await introspection_service(session).call(
        "GetVersions", request, pb.GetVersionsResponse, timeout=_WORKERS_SECONDS
    )
    if on_error == "raise":
        _raise_unreachable(response.unreachable)
    own = pb.ProcessVersions(host=host_facts(), packages=package_versions(packages))
    return {
        "scheduler": _facts(response.own),
        "workers": {address: _facts(facts) for address, facts in response.workers.items()},
        "client": _facts(own),
    }


def _facts(facts: pb.ProcessVersions) -> dict[str, Any]:
    host: dict[str, Any] = dict(facts.host)
    host["python-bits"] = int(host.get("python-bits") or 0)
    return {"host": host, "packages": {name: version or None for name, version in facts.packages.items()}}


def _raise_unreachable(unreachable: Any) -> None:
    for address, why in unreachable.items():
        raise CommClosedError(f"The worker at {address} could not be asked: {why}")
