"""A buffer that is filled in pieces and then becomes a `bytes` object without a copy."""

from __future__ import annotations

import io


class BytesBuffer:
    """A number of bytes, filled through `view`.

    `BytesIO` returns its content without a copy if there is no other reference to it. This halves the memory that a
    large result needs.

    Examples
    --------
    >>> buffer = BytesBuffer(3)
    >>> buffer.view[:] = b"abc"
    >>> buffer.finish()
    b'abc'
    """

    def __init__(self, length: int) -> None:
        # The system allocates pages of zeros when they are first written.
        self._stream = io.BytesIO(bytes(length))
        self.view = self._stream.getbuffer()

    def finish(self) -> bytes:
        """Return the bytes; a copy of them if a part of `view` is still in use."""
        try:
            self.view.release()
        except BufferError:
            return bytes(self.view)
        return self._stream.getvalue()
