"""Writes `dagrpc/__init__.pyi`, which has for type checkers the names that `dagrpc/__init__.py` looks up.

Run ``python -m tests.contract.export_stub`` after a change in the table of names.
"""

from __future__ import annotations

from pathlib import Path

import dagrpc

STUB = Path(__file__).parents[2] / "client_sdk" / "dagrpc" / "__init__.pyi"

_HEAD = '''"""What type checkers know of the names in `__init__.py`, which are looked up when they are used."""

import builtins

'''
_TAIL = """
TimeoutError = builtins.TimeoutError
__version__: str
__all__: list[str]
"""


def stub() -> str:
    """Return the text of the file."""
    origins = sorted(
        (module, name[0].islower(), name.lower(), name) for name, module in vars(dagrpc)["_EXPORTS"].items()
    )
    return _HEAD + "".join(f"from {module} import {name} as {name}\n" for module, *_, name in origins) + _TAIL


if __name__ == "__main__":
    STUB.write_text(stub(), encoding="utf-8")
