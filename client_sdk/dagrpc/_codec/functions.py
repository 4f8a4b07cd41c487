"""Pickles the functions that a client submits: for each submission, unless the function provably has not changed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

from dagrpc._codec import forms, pickle5
from dagrpc._codec.contents import Contents, noted_contents, proven_contents
from dagrpc._codec.proofs import Proof, prove
from dagrpc._codec.references import digest_of


class PickledFunction:
    """A function with its pickle, as the function was at one moment."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        # The proof comes before the pickle, so that a change during pickling invalidates the proof.
        self.proof: Proof | None = prove(function)
        pickled = pickle5.dumps_noting(function)
        self.data = pickled.data
        self.digest = digest_of(self.data)
        self._pickled = pickled if self.proof is None else None

    @cached_property
    def contents(self) -> Contents:
        """The objects in the pickle."""
        if self.proof is not None:
            return proven_contents(self.proof)
        assert self._pickled is not None
        return noted_contents(self._pickled.memo())

    def is_apart(self, noted: pickle5.Pickled) -> bool:
        """Return whether a call's arguments share no object with the function, and so can be unpickled separately."""
        if noted.by_value:
            arguments = noted_contents(noted.memo())
            return not (self.contents.common(arguments) or self.contents.shares_variables(arguments))
        return not (self.proof is None and self.contents.among(noted.memo().keys()))


class FunctionCache:
    """The pickles of the functions submitted last, at most `limit`, whose changes a proof detects."""

    def __init__(self, limit: int = 1_000) -> None:
        self._limit = limit
        # An entry refers to its function, so that no other object gets its id.
        self._entries: OrderedDict[int, PickledFunction] = OrderedDict()

    def pickled(self, function: Callable[..., Any]) -> PickledFunction:
        """Return a function as it is now. Raises any exception that pickling the function raises."""
        identity = id(function)
        known = self._entries.get(identity)
        if known is not None:
            if known.proof is not None and known.proof.holds_for_pickles():
                self._entries.move_to_end(identity)
                return known
            del self._entries[identity]
        new = PickledFunction(function)
        if new.proof is not None:
            self._entries[identity] = new
            if len(self._entries) > self._limit:
                self._entries.popitem(last=False)
        return new


_PLAIN = frozenset((int, float, str, bytes, bool, type(None)))
"""Types whose equal values cannot be distinguished by identity."""


def encode_call(function: PickledFunction, args: Sequence[Any], kwargs: Mapping[str, Any] | None) -> tuple[bytes, bool]:
    """Return the run spec of a call, and whether its function becomes the task's first shared value.

    Raises any exception that pickling the arguments raises.
    """
    content = (tuple(args), dict(kwargs) if kwargs else None)
    if function.proof is not None or (not kwargs and all(type(value) in _PLAIN for value in content[0])):
        data = pickle5.by_reference_only(content)
        if data is not None:
            return forms.CALL + data, True
    noted = pickle5.dumps_noting(content)
    if function.is_apart(noted):
        return forms.CALL + noted.data, True
    together = (function.function, *content)
    return forms.CALL_WITH_FUNCTION + pickle5.dumps_inband(together), False
