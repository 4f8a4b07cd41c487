"""How a worker's process ended, and why, as its nanny sees it. Pure."""

from __future__ import annotations

import enum
import signal
from dataclasses import dataclass

from dagrpc_worker.exits import describe_exit


class Cause(enum.Enum):
    """What made a process end. The values are those of the protocol."""

    EXITED = 1
    """It did so by itself."""
    SIGNAL = 2
    """A signal that its nanny did not send."""
    MEMORY_LIMIT = 3
    """Its nanny killed it, for it used too much memory."""
    OUT_OF_MEMORY = 4
    """Probably the kernel killed it, for want of memory."""
    NO_SIGN_OF_LIFE = 5
    """Its nanny killed it, for nothing was heard of it after its start."""
    STOPPED = 6
    """Its nanny was told to stop it."""


@dataclass(slots=True, frozen=True)
class ProcessEnd:
    """The end of a process."""

    address: str
    """Where the worker served; empty if it never did."""
    code: int
    """Exit code, or the negative of the signal's number."""
    cause: Cause
    reason: str
    """The same in words."""
    used: int = 0
    """Bytes of memory that it used when it was last looked at; 0: not known."""
    limit: int = 0
    """Bytes that it was allowed; 0: any amount."""
    log: tuple[str, ...] = ()
    """The last lines that it wrote."""

    def log_text(self) -> str:
        """Return these lines with a heading, or nothing if there are none."""
        return "\nThe last lines of its log:\n  " + "\n  ".join(self.log) if self.log else ""


def memory_text(used: int, limit: int) -> str:
    """Return in words how much memory a process used.

    >>> memory_text(950 << 20, 1000 << 20)
    '950.0 MiB, 95 % of its limit of 1000.0 MiB'
    >>> memory_text(5 << 20, 0)
    '5.0 MiB'
    """
    text = f"{used / 2**20:.1f} MiB"
    return f"{text}, {100 * used / limit:.0f} % of its limit of {limit / 2**20:.1f} MiB" if limit else text


def by_itself(code: int, oom_evidence: str, used: int, limit: int) -> tuple[Cause, str]:
    """Return cause and reason of an end that the nanny had no part in.

    Parameters
    ----------
    oom_evidence : str
        What points to the kernel's having killed it for want of memory; empty: nothing.
    used, limit : int
        Its memory when it was last looked at, and what it was allowed; 0: not known, any amount.

    Examples
    --------
    >>> by_itself(3, "", 0, 0)
    (<Cause.EXITED: 1>, 'exit code 3')
    >>> by_itself(-11, "", 0, 0)
    (<Cause.SIGNAL: 2>, 'killed by SIGSEGV')
    >>> by_itself(-9, "the kernel counted one", 2**20, 0)
    (<Cause.OUT_OF_MEMORY: 4>, 'killed by SIGKILL, probably by the kernel for want of memory (the kernel counted one); \
it had used 1.0 MiB')
    """
    words = describe_exit(code)
    if code >= 0:
        return Cause.EXITED, words
    if code != -signal.SIGKILL:
        return Cause.SIGNAL, words
    memory = f"; it had used {memory_text(used, limit)}" if used else ""
    if oom_evidence:
        return Cause.OUT_OF_MEMORY, f"{words}, probably by the kernel for want of memory ({oom_evidence}){memory}"
    return Cause.SIGNAL, f"{words}, which its nanny did not send{memory}"


_CRASHES = {
    -number
    for name in ("SIGSEGV", "SIGABRT", "SIGBUS", "SIGILL", "SIGFPE", "SIGTRAP", "SIGSYS")
    if (number := getattr(signal, name, None)) is not None
}
"""Signals that a process brings upon itself."""
_ASKED = 128 + signal.SIGTERM
"""Exit code of a worker that somebody else than its nanny asked to leave."""


def was_done_to_it(end: ProcessEnd) -> bool:
    """Return whether somebody else ended the process, so that it says nothing about the next one.

    Examples
    --------
    >>> was_done_to_it(ProcessEnd("", -9, Cause.SIGNAL, "killed by SIGKILL"))
    True
    >>> was_done_to_it(ProcessEnd("", -11, Cause.SIGNAL, "killed by SIGSEGV"))
    False
    """
    return end.code == _ASKED or (end.cause is Cause.SIGNAL and end.code not in _CRASHES)
