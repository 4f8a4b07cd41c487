"""Hash tables of dicts and sets, which grow with their entries and keep their size when entries are removed."""

from __future__ import annotations

import sys
from collections import OrderedDict
from typing import Any

_LARGE = 64 * 1024
"""Tables of up to this many bytes are not shrunk."""
_BYTES_EACH = 256
"""A table that takes more bytes than this for each entry is shrunk."""


def shrink(table: dict[Any, Any] | set[Any]) -> bool:
    """Rebuild the table of a dict or set that has lost most of its entries; return whether it was rebuilt.

    The object and the order of its entries stay the same. No other thread may change the object during the call.

    Examples
    --------
    >>> table = dict.fromkeys(range(100_000))
    >>> for number in range(99_999):
    ...     del table[number]
    >>> shrink(table), table
    (True, {99999: None})
    """
    size = sys.getsizeof(table)
    if size <= _LARGE or size <= _BYTES_EACH * len(table):
        return False
    entries: Any = list(table) if isinstance(table, set) else list(table.items())
    table.clear()
    table.update(entries)
    return True


def shrink_all_of(owner: Any) -> bool:
    """Shrink each dict and set that is an attribute of an object; return whether any was rebuilt."""
    names = [name for kind in type(owner).__mro__ for name in getattr(kind, "__slots__", ())]
    values: list[Any] = [getattr(owner, name, None) for name in names]
    values += getattr(owner, "__dict__", {}).values()
    # Subclasses of dict may behave differently.
    return sum(shrink(value) for value in values if type(value) in (dict, set, OrderedDict)) > 0
