"""Converts tracebacks of any depth to plain values, and back to tracebacks that print like the originals."""

from __future__ import annotations

import ast
import linecache
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from types import CodeType, TracebackType
from typing import TypeAlias

from dagrpc._codec import code_files

_DEEPEST = 10_000
"""Maximum number of frames sent. A deeper traceback keeps its outermost and innermost frames."""
_LINES = 30
"""Maximum number of source lines sent for one statement."""

_Position: TypeAlias = tuple[int, int, int, int]
"""Line, last line, column and last column; unknown columns are -1."""

Step: TypeAlias = tuple[str, str, str, _Position, str]
"""File, function, module, position, and the source lines at the position."""


def steps_of(trace: TracebackType | None) -> list[Step]:
    """Return a traceback as plain values, outermost step first. Equal steps are the same object."""
    found: list[Step] = []
    known: dict[tuple[CodeType, int, int], Step] = {}
    while trace is not None:
        code = trace.tb_frame.f_code
        place = code, trace.tb_lasti, trace.tb_lineno
        step = known.get(place)
        if step is None:
            module = trace.tb_frame.f_globals.get("__name__")
            position = _position(code, trace)
            step = known[place] = (
                code.co_filename,
                code.co_name,
                module if isinstance(module, str) else "",
                position,
                _source(code.co_filename, position, trace),
            )
        found.append(step)
        trace = trace.tb_next
    if len(found) > _DEEPEST:
        found[_DEEPEST // 2 : -_DEEPEST // 2] = []
    return found


def _position(code: CodeType, trace: TracebackType) -> _Position:
    line = trace.tb_lineno or code.co_firstlineno
    first, last, start, end = next(islice(code.co_positions(), trace.tb_lasti // 2, None), (None,) * 4)
    if first != line or last is None or start is None or end is None:
        return line, line, -1, -1
    return line, last, start, end


def _source(filename: str, position: _Position, trace: TracebackType) -> str:
    first, last = position[0], min(position[1], position[0] + _LINES)
    try:
        # The frame's globals name the loader, which has the source of zipped packages.
        linecache.lazycache(filename, trace.tb_frame.f_globals)
        return "".join(linecache.getline(filename, line) for line in range(first, last + 1))
    except Exception:  # a loader may raise any exception
        return ""


def frames_in(trace: TracebackType | None, files: Collection[str]) -> int:
    """Return the number of outermost frames whose code is in some files."""
    count = 0
    while trace is not None and trace.tb_frame.f_code.co_filename in files:
        count += 1
        trace = trace.tb_next
    return count


def without_first(trace: TracebackType | None, count: int) -> TracebackType | None:
    """Return a traceback without some number of outermost frames."""
    for _ in range(count):
        trace = trace.tb_next if trace is not None else None
    return trace


def innermost_line(trace: TracebackType | None) -> str:
    """Return the place where an exception was raised, as text to append to a message; empty if unknown."""
    if trace is None:
        return ""
    while trace.tb_next is not None:
        trace = trace.tb_next
    code = trace.tb_frame.f_code
    line = linecache.getline(code.co_filename, trace.tb_lineno).strip()
    return f" (line {trace.tb_lineno} of {code.co_filename}, in {code.co_name}{': ' if line else ''}{line})"


def traceback_of(steps: Sequence[Step]) -> TracebackType | None:
    """Return a traceback that consists of some steps."""
    trace: TracebackType | None = None
    made: dict[Step, TracebackType] = {}
    for step in reversed(steps):
        one = made.get(step)
        if one is None:
            one = made[step] = _raised_at(step)
        trace = TracebackType(trace, one.tb_frame, one.tb_lasti, one.tb_lineno)
    return trace


def _raised_at(step: Step) -> TracebackType:
    filename, name, module, position, source = step
    if source:
        code_files.add_source(filename, {position[0]: source})
    try:
        exec(_code(filename, name, position), {"__name__": module, "__file__": filename})
    except NameError as error:
        trace = error.__traceback__
        assert trace is not None
        assert trace.tb_next is not None
        return trace.tb_next
    raise AssertionError("nothing has that name")


@lru_cache(1_000)
def _code(filename: str, name: str, position: _Position) -> CodeType:
    """Return code that raises a `NameError` at a position."""
    line, last, start, end = position
    unknown = ast.Name("__raised_here", ast.Load(), lineno=line, end_lineno=last, col_offset=start, end_col_offset=end)
    module = ast.Module([ast.copy_location(ast.Expr(unknown), unknown)], [])
    # The file name is set afterwards, since the compiler rejects some names.
    code = compile(module, "<traceback>", "exec")
    return code.replace(co_filename=filename, co_name=name, co_qualname=name)


@dataclass(frozen=True)
class PortableTraceback:
    """Stands for a traceback in an attribute of an exception, and unpickles as a traceback."""

    steps: tuple[Step, ...]

    def __reduce__(self) -> tuple[object, ...]:
        return traceback_of, (self.steps,)
