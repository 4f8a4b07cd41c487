"""Sends the file and the source lines of functions that are pickled by value.

Depending on its version, cloudpickle omits the file name or puts it into the pickle. This module puts file names and
source before the pickle, as instructions that `pickle.loads` executes. Tracebacks, profiles and logs of the receiver
then name the real file and show the line. The pickle after these instructions, `content`, does not depend on the file,
so equal functions have equal digests and keys.
"""

from __future__ import annotations

import json
import linecache
import weakref
from collections.abc import Callable, Iterator
from hashlib import blake2b
from types import CodeType
from typing import Any, TypeAlias

NOWHERE = "<dynamic-code>"
"""The file name of code inside pickles, which remains if the receiver does not know the real name."""

_Place: TypeAlias = tuple[str, int, str]
"""A file, a line number, and the source that begins there, which may be empty."""

_LONGEST = 1 << 16
"""Maximum number of characters of source sent with one pickle."""
_KNOWN = 10_000
"""Maximum number of code objects whose files a process remembers."""
_FILES = 1_000
"""Maximum number of files whose lines a process remembers."""

_HEAD = b"\x80\x05cdagrpc._codec.code_files\nremember\nB"
"""PROTO 5, GLOBAL, BINBYTES. These add no memo entries, so the memo numbers of the pickle stay the same."""
_TAIL = b"\x85R0"
"""TUPLE1, REDUCE, POP."""


# --- where code travels from -------------------------------------------------------------------------------------


class Places:
    """The places of the code objects in one pickle."""

    def __init__(self) -> None:
        self._keys: dict[str, list[str]] = {}
        self._lines: dict[str, dict[int, str]] = {}
        self._length = 0

    def reduce(self, code: CodeType, reduce_code: Callable[[CodeType], Any]) -> tuple[Any, ...]:
        """Return the reduction that pickles a code object, and note the code object's file and lines."""
        key, (filename, first, source) = _described(code)
        if filename != NOWHERE:
            self._keys.setdefault(filename, []).append(key)
            lines = self._lines.setdefault(filename, {})
            inside = any(start <= first < start + text.count("\n") for start, text in lines.items())
            if source and not inside and self._length + len(source) <= _LONGEST:
                self._length += len(source)
                lines[first] = source
            code = code.replace(co_filename=NOWHERE)
        return _code_at, (key, *reduce_code(code)[1])

    def before(self, data: bytes) -> bytes:
        """Return a pickle preceded by the files and lines of its code."""
        if not self._keys:
            return data
        told = json.dumps([[name, keys, list(self._lines[name].items())] for name, keys in self._keys.items()]).encode()
        return b"".join((_HEAD, len(told).to_bytes(4, "little"), told, _TAIL, data))


def content(data: bytes | memoryview) -> bytes | memoryview:
    """Return a pickle without the files and lines that precede it."""
    if data[: len(_HEAD)] != _HEAD:
        return data
    begin = len(_HEAD) + 4
    length = int.from_bytes(data[len(_HEAD) : begin], "little")
    return memoryview(data)[begin + length + len(_TAIL) :]


_descriptions: dict[int, tuple[weakref.ref[CodeType], str, _Place]] = {}


def _described(code: CodeType) -> tuple[str, _Place]:
    """Return the key and the place of a code object. Cached, since the same functions are pickled many times."""
    known = _descriptions.get(id(code))
    if known is not None and known[0]() is code:
        return known[1:]
    digest = blake2b(f"{code.co_qualname} {code.co_firstlineno}".encode("utf-8", "replace"), digest_size=8)
    digest.update(code.co_code)
    digest.update(code.co_linetable)
    described = digest.hexdigest(), _place_of(code)
    if len(_descriptions) >= _KNOWN:
        _descriptions.clear()
    _descriptions[id(code)] = (weakref.ref(code), *described)
    return described


def _place_of(code: CodeType) -> _Place:
    first = code.co_firstlineno
    try:
        lines = linecache.getlines(code.co_filename)
        source = "".join(lines[first - 1 : max(_lines_of(code))])
    except Exception:  # the file cannot be decoded, or the lines of a notebook cell are gone
        source = ""
    # A file name may contain lone surrogates, which JSON can encode.
    return code.co_filename, first, source


def _lines_of(code: CodeType) -> Iterator[int]:
    yield code.co_firstlineno
    for _, _, line in code.co_lines():
        if line is not None:
            yield line
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _lines_of(constant)


# --- at the receiver -----------------------------------------------------------------------------------------

_files: dict[str, str] = {}
"""The file of each code object, by the code object's key."""
_sources: dict[str, dict[int, str]] = {}
"""Source texts by file and by the number of their first line."""


def remember(told: bytes) -> None:
    """Store the files and source lines of code that is about to be unpickled."""
    for filename, keys, lines in json.loads(told):
        for key in keys:
            _files[key] = filename
        if lines:
            add_source(filename, dict(lines))
    while len(_files) > _KNOWN:
        _files.pop(next(iter(_files)), None)


def add_source(filename: str, lines: dict[int, str]) -> None:
    """Let tracebacks show lines of a file that does not exist on this host; an existing file takes precedence."""
    known = linecache.cache.get(filename)
    if known is not None and len(known) > 1 and filename not in _sources:
        return
    _sources.setdefault(filename, {}).update(lines)
    if filename.startswith("<"):
        # linecache never looks for a file with such a name.
        text = _text_of(filename)
        linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    elif known is None or len(known) == 1 or known[1] is None:
        # linecache reads the file if it exists, and calls the function otherwise.
        linecache.cache[filename] = (lambda: _text_of(filename),)
    while len(_sources) > _FILES:
        dropped = next(iter(_sources))
        if _sources.pop(dropped, None) is not None:
            linecache.cache.pop(dropped, None)


def _text_of(filename: str) -> str:
    lines: list[str] = []
    for first, text in sorted(_sources.get(filename, {}).items()):
        # The lines may overlap with lines of an older version of the file.
        del lines[first - 1 :]
        lines += ["\n"] * (first - 1 - len(lines))
        lines += text.splitlines(keepends=True)
    return "".join(lines)


def _code_at(key: str, *args: Any) -> CodeType:
    """Return a code object with its real file, if the sender named it."""
    code = CodeType(*args)
    filename = _files.get(key)
    return code if filename is None else code.replace(co_filename=filename)
