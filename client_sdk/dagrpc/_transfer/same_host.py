"""Large frames between processes of one user on one host: the receiver reads them from the sender's memory.

gRPC copies a byte about eight times between two processes. On one host, Linux can copy it once (``process_vm_readv``).
The call with its manifest and its end goes through gRPC; only the bytes of large frames are read from memory. Where
this is impossible (another system, user or container, or a kernel that forbids it), the frames come in chunks.
"""

from __future__ import annotations

import ctypes
import hmac
import os
import secrets
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from hashlib import blake2b
from pathlib import Path

from dagrpc import config
from dagrpc._common.bytes_like import Buffer
from dagrpc._process.machine import cpu_count

WORTHWHILE = 512 * 1024
"""Frames from this size on take the short way."""
_PIECE = 16 * 2**20
"""Reads are divided into pieces of this size among threads."""

_PR_SET_PTRACER = 0x59616D61
_PTRACER_ANY = ctypes.c_ulong(-1)


class _Span(ctypes.Structure):
    """``struct iovec``."""

    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _PyBuffer(ctypes.Structure):
    """``Py_buffer``, of which only the first field matters here."""

    _fields_ = (("buf", ctypes.c_void_p), ("rest", ctypes.c_char * 256))


@cache
def _libc() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None, use_errno=True)
    if not hasattr(library, "process_vm_readv"):
        return None
    spans = ctypes.POINTER(_Span)
    library.process_vm_readv.argtypes = [
        ctypes.c_int,
        spans,
        ctypes.c_ulong,
        spans,
        ctypes.c_ulong,
        ctypes.c_ulong,
    ]
    library.process_vm_readv.restype = ctypes.c_ssize_t
    return library


def token() -> str:
    """Return the name of this process's host, user and process namespace; empty where there is no short way.

    It cannot be guessed: it is made of a secret in a file that only this user can read.
    """
    return _token() if config.get("comm.same-host") else ""


@cache
def _token() -> str:
    if _libc() is None:
        return ""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text()
        namespace = os.readlink("/proc/self/ns/pid")
        secret = _secret()
    except OSError:
        return ""
    return blake2b(f"{boot}{namespace}{secret}".encode(), digest_size=16).hexdigest()


def _secret() -> str:
    """Return this user's secret on this host, made at the first call of all."""
    # Not at the top: it imports much, and a scheduler does not come here.
    import tempfile

    directory = Path(tempfile.gettempdir()) / f"dagrpc-{os.getuid()}"
    directory.mkdir(mode=0o700, exist_ok=True)
    status = directory.lstat()
    if status.st_uid != os.getuid() or status.st_mode & 0o077 or directory.is_symlink():
        raise PermissionError(f"{directory} is not private to this user")
    path = directory / "host-secret"
    fresh = directory / f"host-secret.{os.getpid()}"
    if not path.exists():
        fresh.touch(mode=0o600)
        fresh.write_text(secrets.token_hex(16))
        try:
            # Fails if another process was quicker; then its secret holds.
            os.link(fresh, path)
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return path.read_text()


def is_here(host: str) -> bool:
    """Return whether a peer that named its host is on this one."""
    own = token()
    return bool(own) and hmac.compare_digest(host, own)


def allow_readers() -> None:
    """Let this user's other processes read this one's memory where the kernel wants to be told so (Yama).

    Only workers call this: a process that can reach a worker can run code in it anyway.
    """
    library = _libc()
    if library is not None and token():
        library.prctl(_PR_SET_PTRACER, _PTRACER_ANY, 0, 0, 0)


def address_of(frame: Buffer) -> int:
    """Return where a buffer begins in memory. It stays there as long as the buffer lives."""
    view = _PyBuffer()
    api = ctypes.pythonapi
    api.PyObject_GetBuffer(ctypes.py_object(frame), ctypes.byref(view), 0)
    try:
        return view.buf or 0
    finally:
        api.PyBuffer_Release(ctypes.byref(view))


@cache
def _readers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(min(4, cpu_count()), thread_name_prefix="dagrpc-reader")


def read_memory(pid: int, frames: list[tuple[int, memoryview]]) -> None:
    """Fill buffers from another process's memory, in several threads, without the GIL.

    Parameters
    ----------
    pid : int
        The other process.
    frames : list of (address, buffer)
        Where each buffer's content begins there.

    Raises
    ------
    OSError
        If the kernel does not allow it, or the process is gone.
    """
    pieces = [
        (address + start, target[start : start + _PIECE])
        for address, target in frames
        for start in range(0, target.nbytes, _PIECE)
    ]
    if len(pieces) == 1:
        _read(pid, *pieces[0])
        return
    # Waits for all, also if one fails: nobody may write to the buffers once this has returned.
    outcomes = [_readers().submit(_read, pid, address, target) for address, target in pieces]
    errors = [error for outcome in outcomes if (error := outcome.exception()) is not None]
    if errors:
        raise errors[0]


def _read(pid: int, address: int, target: memoryview) -> None:
    library = _libc()
    assert library is not None
    start, done, length = address_of(target), 0, target.nbytes
    while done < length:
        here = _Span(start + done, length - done)
        there = _Span(address + done, length - done)
        count = library.process_vm_readv(pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0)
        if count <= 0:
            number = ctypes.get_errno()
            raise OSError(number, f"cannot read the memory of process {pid}: {os.strerror(number)}")
        done += count
