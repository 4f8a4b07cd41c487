"""Reads the status of a pod: why it does not start, or why it has ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

# Reasons why a container waits that pass by themselves. All others need somebody to mend them.
_PASSING = {"ContainerCreating", "PodInitializing", ""}
_UNSCHEDULABLE = "Unschedulable"


def why_stuck(pod: Mapping[str, Any]) -> str:
    """Return why a container of the pod cannot start as things are; nothing if it may.

    Examples
    --------
    >>> waiting = {"reason": "ErrImagePull", "message": "not found"}
    >>> why_stuck({"status": {"containerStatuses": [{"state": {"waiting": waiting}}]}})
    'ErrImagePull: not found'
    """
    for state in _states(pod):
        waiting = state.get("waiting") or {}
        if waiting.get("reason", "") not in _PASSING:
            return _joined(waiting)
    return ""


def why_unschedulable(pod: Mapping[str, Any]) -> str:
    """Return why no node takes the pod; nothing if one does, or may.

    Examples
    --------
    >>> refused = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "Insufficient cpu."}
    >>> why_unschedulable({"status": {"conditions": [refused]}})
    'Unschedulable: Insufficient cpu.'
    """
    for condition in (pod.get("status") or {}).get("conditions") or ():
        if condition.get("status") == "False" and condition.get("reason") == _UNSCHEDULABLE:
            return _joined(condition)
    return ""


def has_ended(pod: Mapping[str, Any]) -> bool:
    """Tell whether the pod does not come back."""
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def is_running(pod: Mapping[str, Any]) -> bool:
    """Tell whether a container of the pod runs, or has run."""
    return any("running" in state or "terminated" in state for state in _states(pod))


def why_ended(pod: Mapping[str, Any]) -> str:
    """Return a remark about the end of the pod: what Kubernetes gives as the reason, and the exit code.

    Examples
    --------
    >>> killed = {"terminated": {"reason": "OOMKilled", "exitCode": 137}}
    >>> why_ended({"status": {"containerStatuses": [{"state": killed}]}})
    'OOMKilled, exit code 137: it went over the memory limit of its container'
    >>> why_ended({"status": {"reason": "Evicted", "message": "The node was low on memory."}})
    'Evicted: The node was low on memory.'
    """
    status = pod.get("status") or {}
    if status.get("reason"):
        return _joined(status)
    for state in _states(pod):
        ended = state.get("terminated") or {}
        if "exitCode" in ended:
            reason = ended.get("reason") or "Error"
            remark = ": it went over the memory limit of its container" if reason == "OOMKilled" else ""
            return f"{reason}, exit code {ended['exitCode']}{remark}"
    return ""


def _states(pod: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    status = pod.get("status") or {}
    for statuses in ("initContainerStatuses", "containerStatuses"):
        for container in status.get(statuses) or ():
            yield container.get("state") or {}


def _joined(found: Mapping[str, Any]) -> str:
    return ": ".join(str(found[name]) for name in ("reason", "message") if found.get(name))
