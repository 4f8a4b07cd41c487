"""Describes failures as text, for processes that must not or need not rebuild the exceptions."""

from __future__ import annotations

from dagrpc.v1 import failure_pb2


def exception_text(failure: failure_pb2.Failure) -> str:
    """Return an approximation of the exception's ``repr``.

    Examples
    --------
    >>> exception_text(failure_pb2.Failure(type_name="builtins.ValueError", message="no number"))
    "ValueError('no number')"
    """
    return f"{failure.type_name.rpartition('.')[2]}({failure.message!r})"
