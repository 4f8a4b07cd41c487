"""Profiles: how often call stacks were seen, as trees.

A profile is a dict, of the form that users of distributed know: ``count``, ``children`` by identifier, ``identifier``
and ``description`` (``filename``, ``name``, ``line_number``, ``line``) of a function in stacks that agree up to it. The
root stands for all samples.
"""

from __future__ import annotations

import linecache
from collections.abc import Iterable, Sequence
from types import FrameType
from typing import Any, TypeAlias

from dagrpc.v1 import diagnostics_service_pb2 as pb

Profile: TypeAlias = dict[str, Any]

DEEPEST = 400
"""Frames of a stack that count at most, outermost first: a recursion's end says no more than its beginning."""


def new_profile() -> Profile:
    """Return a profile without samples."""
    return {
        "count": 0,
        "children": {},
        "identifier": "root",
        "description": {"filename": "", "name": "", "line_number": 0, "line": ""},
    }


def add_stack(profile: Profile, frames: Sequence[FrameType]) -> None:
    """Count a sample.

    Parameters
    ----------
    profile : dict
        Where it counts.
    frames : sequence of frames
        The stack, outermost first.
    """
    profile["count"] += 1
    node = profile
    for frame in frames[:DEEPEST]:
        code = frame.f_code
        identifier = f"{code.co_name};{code.co_filename};{code.co_firstlineno}"
        child = node["children"].get(identifier)
        if child is None:
            child = {"count": 0, "children": {}, "identifier": identifier, "description": describe(frame)}
            node["children"][identifier] = child
        child["count"] += 1
        node = child


def describe(frame: FrameType) -> dict[str, Any]:
    """Return where a frame is."""
    code = frame.f_code
    # A frame that has just begun may be on no line yet.
    number = frame.f_lineno or code.co_firstlineno
    line = linecache.getline(code.co_filename, number, frame.f_globals).strip()
    return {"filename": code.co_filename, "name": code.co_name, "line_number": number, "line": line}


def merge(profiles: Iterable[Profile]) -> Profile:
    """Return the sum of profiles, which are left as they are."""
    total = new_profile()
    pending = [(total, profile) for profile in profiles]
    while pending:
        target, source = pending.pop()
        target["count"] += source["count"]
        children = target["children"]
        for identifier, child in source["children"].items():
            known = children.get(identifier)
            if known is None:
                known = children[identifier] = {
                    "count": 0,
                    "children": {},
                    "identifier": identifier,
                    "description": child["description"],
                }
            pending.append((known, child))
    return total


def to_message(profile: Profile) -> pb.Profile:
    """Return a profile as a message."""
    message = pb.Profile()
    if not profile["count"]:
        return message
    places: dict[tuple[str, int], int] = {}
    message.nodes.add(count=profile["count"])
    pending = [(0, profile)]
    while pending:
        parent, node = pending.pop()
        for identifier, child in node["children"].items():
            description = child["description"]
            place = (identifier, description["line_number"])
            line = places.get(place)
            if line is None:
                line = places[place] = len(places) + 1
                message.lines.add(
                    function=description["name"],
                    filename=description["filename"],
                    first_line=int(identifier.rpartition(";")[2]),
                    line_number=description["line_number"],
                    source=description["line"],
                )
            message.nodes.add(parent=parent, line=line, count=child["count"])
            pending.append((len(message.nodes) - 1, child))
    return message


def from_message(message: pb.Profile) -> Profile:
    """Return the profile that a message holds.

    Raises
    ------
    ValueError
        If its nodes are out of order or refer to what is not there.
    """
    root = new_profile()
    if not message.nodes:
        return root
    root["count"] = message.nodes[0].count
    nodes = [root]
    descriptions = [
        (
            f"{line.function};{line.filename};{line.first_line}",
            {
                "filename": line.filename,
                "name": line.function,
                "line_number": line.line_number,
                "line": line.source,
            },
        )
        for line in message.lines
    ]
    for node in message.nodes[1:]:
        if node.parent >= len(nodes) or not 0 < node.line <= len(descriptions):
            raise ValueError("A profile refers to a parent or a line that it does not have")
        identifier, description = descriptions[node.line - 1]
        child = {"count": node.count, "children": {}, "identifier": identifier, "description": description}
        nodes[node.parent]["children"][identifier] = child
        nodes.append(child)
    return root
