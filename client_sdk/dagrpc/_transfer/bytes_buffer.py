"""Memory that is filled piece by piece and is a `bytes` object in the end."""

from __future__ import annotations

import io


class BytesBuffer:
    """So many bytes, to be filled by way of `view`.

    A `BytesIO` hands out what it holds without a copy if nobody else has it: a result of a GiB needs one, not two.

    Examples
    --------
    >>> buffer = BytesBuffer(3)
    >>> buffer.view[:] = b"abc"
    >>> buffer.finish()
    b'abc'
    """

    def __init__(self, length: int) -> None:
        # Zeros that have not been touched take no memory.
        self._stream = io.BytesIO(bytes(length))
        self.view = self._stream.getbuffer()

    def finish(self) -> bytes:
        """Return the bytes. What has a part of `view` still keeps its memory, and this is a copy then."""
        try:
            self.view.release()
        except BufferError:
            return bytes(self.view)
        return self._stream.getvalue()
