"""The work of a task as the scheduler sends it, opaque to the worker's core."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from dagrpc._common.bytes_like import Buffer


@dataclass(slots=True)
class PythonTask:
    """A pickled task; see `dagrpc._codec.forms`."""

    run_spec: bytes
    shared: Sequence[bytes] = ()
    """Digests of the shared values that the task refers to."""


@dataclass(slots=True)
class Literal:
    """An argument that was sent with the call."""

    encoding: str
    frames: Sequence[Buffer]


@dataclass(slots=True)
class ResultOf:
    """An argument that is the result of another task."""

    key: str


CallArgument: TypeAlias = Literal | ResultOf


@dataclass(slots=True)
class NamedCall:
    """A call of a function by its name, which any language can write."""

    entrypoint: str
    """``package.module:function``."""
    arguments: Sequence[CallArgument]
    keyword_arguments: Mapping[str, CallArgument]


Work: TypeAlias = PythonTask | NamedCall
