"""Durations and sizes mean what they mean to dask."""

import subprocess
import sys

import pytest
from dask.utils import parse_bytes, parse_timedelta

from dagrpc._common.quantities import parse_seconds, parse_size

DURATIONS = ("2s", "30 s", "500ms", " 1.5 h ", "5.s", "10 us", "3m", "2 minutes", "1 day", "7", "1e3", "1e-3s")
SIZES = (
    "2 MiB",
    "1.5kB",
    "64MB",
    "100 B",
    "1GiB",
    ".5 TiB",
    "0.5 TiB",
    "3 KiB",
    "2kiB",
    "1 TB",
    "12",
    "1e6",
    "1e3 MB",
    "5 gib",
)


@pytest.mark.parametrize("text", DURATIONS)
def test_a_duration_is_what_dask_takes_it_for(text: str) -> None:
    assert parse_seconds(text) == pytest.approx(parse_timedelta(text))


@pytest.mark.parametrize("text", SIZES)
def test_a_size_is_what_dask_takes_it_for(text: str) -> None:
    assert parse_size(text) == parse_bytes(text)


def test_values_that_are_no_quantity_are_refused() -> None:
    with pytest.raises(KeyError, match="parsecs"):
        parse_seconds("2 parsecs")
    with pytest.raises(ValueError, match="parsecs"):
        parse_size("2 parsecs")


def test_the_usual_ones_need_no_dask() -> None:
    program = """
import sys
from dagrpc import config
config.hand_over({"distributed": {"scheduler": {"worker-ttl": "5m"}, "comm": {"inline-limit": "8 kiB"}}})
assert config.get_seconds("scheduler.worker-ttl") == 300
assert config.get_bytes("comm.inline-limit") == 8192
assert "dask" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
