"""Causes of the end of a worker's process, as its nanny sees them. Pure."""

from __future__ import annotations

import enum
import signal
from dataclasses import dataclass

from dagrpc_worker.exits import describe_exit


class Cause(enum.Enum):
    """The cause of the end of a process. The values are those of the contract."""

    EXITED = 1
    """The process exited."""
    SIGNAL = 2
    """A signal that the nanny did not send."""
    MEMORY_LIMIT = 3
    """The nanny killed the process because it used too much memory."""
    OUT_OF_MEMORY = 4
    """Probably the kernel killed the process because the machine was out of memory."""
    NO_SIGN_OF_LIFE = 5
    """The nanny killed the process because it sent no report after its start."""
    STOPPED = 6
    """The nanny was told to stop the process."""


@dataclass(slots=True, frozen=True)
class ProcessEnd:
    """The end of a process."""

    address: str
    """The worker's address; empty if it never joined the cluster."""
    code: int
    """Exit code, or the negative number of the signal."""
    cause: Cause
    reason: str
    """A readable description."""
    used: int = 0
    """Bytes of memory in use when last measured; 0: unknown."""
    limit: int = 0
    """Memory limit in bytes; 0: none."""
    log: tuple[str, ...] = ()
    """The last lines of its output."""

    def log_text(self) -> str:
        """Return the last lines of the output with a heading; empty if there are none."""
        return "\nThe last lines of its log:\n  " + "\n  ".join(self.log) if self.log else ""


def memory_text(used: int, limit: int) -> str:
    """Return a description of the memory that a process used.

    >>> memory_text(950 << 20, 1000 << 20)
    '950.0 MiB, 95 % of its limit of 1000.0 MiB'
    >>> memory_text(5 << 20, 0)
    '5.0 MiB'
    """
    text = f"{used / 2**20:.1f} MiB"
    return f"{text}, {100 * used / limit:.0f} % of its limit of {limit / 2**20:.1f} MiB" if limit else text


def by_itself(code: int, oom_evidence: str, used: int, limit: int) -> tuple[Cause, str]:
    """Return the cause and the reason of an end that the nanny did not cause.

    Parameters
    ----------
    oom_evidence : str
        Evidence that the kernel killed the process because it was out of memory; empty: none.
    used, limit : int
        Bytes in use when last measured (0: unknown), and the memory limit (0: none).

    Examples
    --------
    >>> by_itself(3, "", 0, 0)
    (<Cause.EXITED: 1>, 'exit code 3')
    >>> by_itself(-11, "", 0, 0)
    (<Cause.SIGNAL: 2>, 'killed by SIGSEGV')
    >>> by_itself(-9, "the kernel counted one", 2**20, 0)
    (<Cause.OUT_OF_MEMORY: 4>, 'killed by SIGKILL, probably by the kernel because memory was short (the kernel counted \
one); it had used 1.0 MiB')
    """
    words = describe_exit(code)
    if code >= 0:
        return Cause.EXITED, words
    if code != -signal.SIGKILL:
        return Cause.SIGNAL, words
    memory = f"; it had used {memory_text(used, limit)}" if used else ""
    if oom_evidence:
        return Cause.OUT_OF_MEMORY, f"{words}, probably by the kernel because memory was short ({oom_evidence}){memory}"
    return Cause.SIGNAL, f"{words}, which its nanny did not send{memory}"


_CRASHES = {
    -number
    for name in ("SIGSEGV", "SIGABRT", "SIGBUS", "SIGILL", "SIGFPE", "SIGTRAP", "SIGSYS")
    if (number := getattr(signal, name, None)) is not None
}
"""Signals that a process causes itself."""
_ASKED = 128 + signal.SIGTERM
"""Exit code of a worker that got a SIGTERM from another sender than its nanny."""


def was_ended_from_outside(end: ProcessEnd) -> bool:
    """Return whether the process was ended from outside, so that its end says nothing about the next process.

    Examples
    --------
    >>> was_ended_from_outside(ProcessEnd("", -9, Cause.SIGNAL, "killed by SIGKILL"))
    True
    >>> was_ended_from_outside(ProcessEnd("", -11, Cause.SIGNAL, "killed by SIGSEGV"))
    False
    """
    return end.code == _ASKED or (end.cause is Cause.SIGNAL and end.code not in _CRASHES)
