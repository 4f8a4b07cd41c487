"""Functions that the parity tests submit to the cluster."""

from __future__ import annotations

import operator
import time
from typing import Any

add = operator.add


def inc(x: int) -> int:
    return x + 1


def double(x: int) -> int:
    return 2 * x


def total(*values: int) -> int:
    return sum(values)


def identity(x: Any) -> Any:
    return x


def fail(message: str = "as asked") -> None:
    raise ZeroDivisionError(message)


def nap(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def nap_and_return(value: Any, seconds: float) -> Any:
    time.sleep(seconds)
    return value


def keyword(x: int, *, y: int = 10) -> tuple[int, int]:
    return x, y


async def inc_async(x: int) -> int:
    return x + 1


class Custom(Exception):
    """An exception that its arguments alone do not rebuild."""

    def __init__(self, code: int, *, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail

    def __reduce__(self) -> Any:
        return _rebuild, (self.code, self.detail)


def _rebuild(code: int, detail: str) -> Custom:
    return Custom(code, detail=detail)


def fail_custom() -> None:
    raise Custom(7, detail="seven")


class Counter:
    """An actor."""

    n = 0

    def __init__(self, start: int = 0) -> None:
        self.n = start

    def increment(self, by: int = 1) -> int:
        self.n += by
        return self.n

    async def increment_async(self) -> int:
        self.n += 1
        return self.n

    def fail(self) -> None:
        raise ValueError("the actor says no")
