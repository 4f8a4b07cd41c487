"""What a key tells: the group that a task belongs to, and the prefix that it shares with tasks of its kind.

Clients append a token to the name of what a task does: ``inc-<hash>``, ``read-csv-<uuid>-7``. Collections use tuples,
which travel as Python writes them: ``('sum-<hash>', 0, 1)``. The first element names the group.
"""

from __future__ import annotations

from typing import Final

_HEXADECIMAL: Final = "0123456789abcdef"
_SHORTEST_TOKEN: Final = 8
_SHORTEST_BARE_TOKEN: Final = 32
_UUID_LAST: Final = 12
"""Length of the last field of a UUID."""
_UUID_REST: Final = 24
"""Length of the other fields with the dashes before them."""


def group_name(key: str) -> str:
    """Return the name of the group of `key`.

    >>> group_name("('sum-0a1b2c3d', 0, 1)")
    'sum-0a1b2c3d'
    >>> group_name("inc-0a1b2c3d")
    'inc'
    """
    if key[:1] == "(":
        quote = key[1:2]
        if quote in ("'", '"'):
            end = key.find(quote, 2)
            if end > 2:
                return key[2:end]
    return prefix_name(key)


def prefix_name(name: str) -> str:
    """Return `name` without the numbers, hashes and UUIDs that end it.

    >>> prefix_name("read-csv-0a1b2c3d4e5f-7")
    'read-csv'
    """
    while True:
        head, _, tail = name.rpartition("-")
        if not head:
            break
        if tail.isdecimal():
            # The last field of a UUID may be all digits.
            name = head if len(tail) != _UUID_LAST else _without_uuid(head)
        elif len(tail) >= _SHORTEST_TOKEN and not tail.strip(_HEXADECIMAL):
            name = head if len(tail) != _UUID_LAST else _without_uuid(head)
        else:
            return name
    if len(name) >= _SHORTEST_BARE_TOKEN and not name.strip(_HEXADECIMAL):
        return "data"
    return name


def _without_uuid(head: str) -> str:
    """Return `head`, which lost a token of 12 characters, without the rest of the UUID if the token was part of one."""
    rest = head[-_UUID_REST:]
    if len(rest) == _UUID_REST < len(head) and rest[0] == rest[9] == rest[14] == rest[19] == "-":
        return head[:-_UUID_REST]
    return head
