"""Pickles exceptions with their causes, contexts, group members, notes and tracebacks.

Each exception that can be reached from the raised exception is a link with a pickle of its own. In place of another
exception, such as a member or an attribute, the pickle contains the number of its link. Chains can therefore be of any
length and contain cycles. A link that cannot be rebuilt, for instance since its class is missing, does not affect the
other links.
"""

from __future__ import annotations

import contextlib
import io
import pickle
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from dagrpc._codec.exception_parts import Unsent, in_parts, reduced
from dagrpc._codec.pickle5 import ByValuePickler
from dagrpc._codec.tracebacks import PortableTraceback, Step, steps_of, traceback_of

_LONGEST = 10_000
"""Maximum number of exceptions in one failure."""

Words = Callable[[BaseException], tuple[str, str]]
"""Returns the name of an exception's type and its message."""


InWords = Callable[["Link"], BaseException]
"""Returns the exception that replaces an exception that cannot be rebuilt."""


@dataclass(slots=True)
class Link:
    """An encoded exception of a chain."""

    data: bytes | None
    """The pickle of the exception; None if it could not be pickled."""
    type_name: str
    message: str
    steps: list[Step]
    cause: int | None
    context: int | None
    suppress: bool
    notes: list[str] | None

    def plain(self) -> tuple[Any, ...]:
        """Return the link as plain values."""
        return tuple(getattr(self, name) for name in self.__slots__)


# --- encoding ----------------------------------------------------------------------------------------------------


class ChainEncoder:
    """Encodes an exception and all exceptions that it refers to.

    Parameters
    ----------
    words : callable
        Returns the type name and the message of an exception.
    longest_text : int
        Maximum length of an exception's message; longer messages are cut.
    largest : int
        Maximum size of an exception's pickle, in bytes; larger pickles lose some attributes.
    """

    def __init__(self, words: Words, longest_text: int, largest: int) -> None:
        self._words = words
        self._longest_text = longest_text
        self._largest = largest
        self._errors: list[BaseException] = []
        self._numbers: dict[int, int] = {}

    def encode(self, error: BaseException, trace: TracebackType | None) -> list[Link]:
        """Return the links, the raised exception first. Never fails."""
        links: list[Link] = []
        self.number_of(error)
        # Pickling a link may add further links.
        while len(links) < len(self._errors):
            each = self._errors[len(links)]
            links.append(self._link(each, trace if each is error else each.__traceback__))
        self._check(links)
        return links

    def number_of(self, error: BaseException | None) -> int | None:
        """Return the number of an exception; None if there are too many."""
        if error is None:
            return None
        number = self._numbers.get(id(error))
        if number is None and len(self._errors) < _LONGEST:
            number = self._numbers[id(error)] = len(self._errors)
            self._errors.append(error)
        return number

    def _link(self, error: BaseException, trace: TracebackType | None) -> Link:
        kind, message = self._words(error)
        notes = getattr(error, "__notes__", None)
        return Link(
            self._pickled(error),
            kind,
            message,
            steps_of(trace),
            self.number_of(error.__cause__),
            self.number_of(error.__context__),
            error.__suppress_context__,
            [note if type(note) is str else _text(note) for note in notes] if type(notes) is list else None,
        )

    def _pickled(self, error: BaseException) -> bytes | None:
        if not self._is_too_long(error):
            try:
                data = self._dump(error, reduced(error))
            except BaseException:  # the exception's own code may raise any exception
                data = None
            if data is not None and len(data) <= self._largest:
                return data
        return self._pickled_in_parts(error)

    def _is_too_long(self, error: BaseException) -> bool:
        try:
            return len(str(error)) > self._longest_text
        except BaseException:
            return False

    def _pickled_in_parts(self, error: BaseException) -> bytes | None:
        cut = self._longest_text if self._is_too_long(error) else None
        try:
            data = self._dump(error, in_parts(error, self._travels, cut))
        except BaseException:
            return None
        return data if len(data) <= self._largest else None

    def _dump(self, error: BaseException, reduction: Any) -> bytes:
        buffer = io.BytesIO()
        pickler = _ChainPickler(buffer, self, error, reduction)
        pickler.dump(error)
        return pickler.places.before(buffer.getvalue())

    def _travels(self, value: object) -> bool:
        """Return whether a part of an exception can be pickled and unpickled, and is small enough."""
        buffer = io.BytesIO()
        try:
            _ChainPickler(buffer, self, None, None).dump(value)
            with _Loader([], _stand_in).current():
                pickle.loads(buffer.getvalue())
        except BaseException:
            return False
        return buffer.tell() <= self._largest // 4

    def _check(self, links: list[Link]) -> None:
        """Pickle exceptions by their parts if their own pickles do not restore them."""
        for again in (self._pickled_in_parts, lambda _: None):
            rebuilt = _Loader(links, _stand_in).errors()
            wrong = [n for n, error in enumerate(self._errors) if not _is_like(rebuilt[n], error)]
            for number in wrong:
                links[number].data = again(self._errors[number])
            if not wrong:
                return


class _StandIn(Exception):
    """Stands for an exception that cannot be rebuilt, so that groups can have it as a member."""


def _stand_in(_: Link) -> BaseException:
    return _StandIn()


def _is_like(rebuilt: BaseException, error: BaseException) -> bool:
    kind, other = type(rebuilt), type(error)
    return kind is other or (kind.__module__, kind.__qualname__) == (other.__module__, other.__qualname__)


def _text(value: object) -> str:
    try:
        return str(value)
    except BaseException:
        return "<no text>"


class _ChainPickler(ByValuePickler):
    """Pickles an exception, with the numbers of links in place of other exceptions."""

    def __init__(self, buffer: io.BytesIO, encoder: ChainEncoder, error: BaseException | None, reduction: Any) -> None:
        super().__init__(buffer, 5, None)
        self._encoder = encoder
        self._error = error
        self._reduction = reduction

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, BaseException):
            if obj is self._error and self._reduction is not None:
                reduction, self._reduction = self._reduction, None
                return reduction
            number = self._encoder.number_of(obj)
            return (_link, (number,)) if number is not None else (Unsent, (_text(obj),))
        if isinstance(obj, TracebackType):
            return PortableTraceback(tuple(steps_of(obj))).__reduce__()
        return super().reducer_override(obj)


# --- decoding ----------------------------------------------------------------------------------------------------


def decode_chain(links: list[Link], in_words: InWords) -> BaseException:
    """Return the exception of the first link of a chain."""
    errors = _Loader(links, in_words).errors()
    for error, link in zip(errors, links, strict=True):
        if link.cause is not None:
            error.__cause__ = errors[link.cause]
        if link.context is not None:
            error.__context__ = errors[link.context]
        error.__suppress_context__ = link.suppress
        error.__traceback__ = traceback_of(link.steps)
        if link.notes is not None:
            error.__notes__ = link.notes
    return errors[0]


_loading = threading.local()


def _link(number: int) -> Any:
    """Return an exception of the chain that is being unpickled."""
    return _loading.loader.get(number)


class _Loader:
    """Unpickles the exceptions of a chain, each when it is first needed."""

    def __init__(self, links: list[Link], in_words: InWords) -> None:
        self._links = links
        self._in_words = in_words
        self._errors: dict[int, BaseException | None] = {}

    def errors(self) -> list[BaseException]:
        """Return all exceptions, with stand-ins for exceptions that cannot be unpickled."""
        with self.current():
            found = [self.get(number) for number in range(len(self._links))]
        return [error for error in found if error is not None]

    def current(self) -> _Current:
        """Make this chain the one that pickles in the thread refer to, within a block."""
        return _Current(self)

    def get(self, number: int) -> BaseException | None:
        """Return an exception, or its stand-in; None if it is just being unpickled or was not sent."""
        if number in self._errors or number >= len(self._links):
            return self._errors.get(number)
        self._errors[number] = None
        link = self._links[number]
        loaded: object = None
        if link.data is not None:
            # The class may be missing, or its code may raise any exception.
            with contextlib.suppress(BaseException):
                loaded = pickle.loads(link.data)
        error = self._errors[number] = loaded if isinstance(loaded, BaseException) else self._in_words(link)
        return error


class _Current:
    __slots__ = ("_former", "_loader")

    def __init__(self, loader: _Loader) -> None:
        self._loader = loader

    def __enter__(self) -> None:
        self._former = getattr(_loading, "loader", None)
        _loading.loader = self._loader

    def __exit__(self, *_: object) -> None:
        _loading.loader = self._former
