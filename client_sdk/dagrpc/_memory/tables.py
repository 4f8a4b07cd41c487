"""The tables of mappings and sets: they grow with what is put in, and stay as large when it is taken out."""

from __future__ import annotations

import sys
from collections import OrderedDict
from typing import Any

_LARGE = 64 * 1024
"""Tables up to this size are left as they are."""
_BYTES_EACH = 256
"""A table that has more bytes for each of its entries has much room to spare."""


def shrink(table: dict[Any, Any] | set[Any]) -> bool:
    """Give a mapping or set that has become much smaller a table of its size, in its place and in the same order.

    Nobody may be changing it meanwhile.

    Returns
    -------
    bool
        Whether there was anything to do.

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
    """Do so with all mappings and sets that are attributes of an object; tell whether there was anything to do."""
    names = [name for kind in type(owner).__mro__ for name in getattr(kind, "__slots__", ())]
    values: list[Any] = [getattr(owner, name, None) for name in names]
    values += getattr(owner, "__dict__", {}).values()
    # Others may behave differently from what they are made of.
    return sum(shrink(value) for value in values if type(value) in (dict, set, OrderedDict)) > 0
