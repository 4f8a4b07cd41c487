"""Names of workers: text on the wire, and numbers for users where the text is a number."""

from __future__ import annotations


def as_given(name: str) -> str | int:
    """Return a worker's name as the user wrote it.

    Clusters name their workers 0, 1, 2, ...; programs written for distributed compare these names with numbers.
    """
    return int(name) if name.isascii() and name.isdecimal() and (name == "0" or name[0] != "0") else name
