"""Names of workers: text on the wire, numbers to people where they are numbers."""

from __future__ import annotations


def as_given(name: str) -> str | int:
    """Return a worker's name as the one who gave it would write it.

    Clusters name their workers 0, 1, 2, ...; programs of distributed compare those names with numbers.
    """
    return int(name) if name.isascii() and name.isdecimal() and (name == "0" or name[0] != "0") else name
