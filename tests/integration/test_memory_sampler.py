"""The memory of a cluster over time."""

from __future__ import annotations

import asyncio
import sys
import time
import types
from itertools import pairwise

import pytest

from dagrpc import Client
from dagrpc.diagnostics import MemorySampler


def test_samples_of_a_block(client):
    sampler = MemorySampler()
    with sampler.sample("one", interval=0.01):
        time.sleep(0.1)
    samples = sampler.samples["one"]
    assert len(samples) >= 3
    assert all(first[0] <= second[0] for first, second in pairwise(samples))
    with sampler.sample(client=client, interval=0.01, measure="managed"):
        pass
    assert len(sampler.samples) == 2


@pytest.mark.parametrize(
    "measure",
    [
        "process",
        "managed",
        "managed_in_memory",
        "managed_spilled",
        "spilled",
        "unmanaged",
        "unmanaged_old",
        "unmanaged_recent",
        "optimistic",
    ],
)
def test_measures(client, measure):
    sampler = MemorySampler()
    with sampler.sample("one", measure=measure, interval=0.01):
        pass
    assert all(isinstance(value, int) and value >= 0 for _, value in sampler.samples["one"])


def test_as_a_data_frame(client):
    sampler = MemorySampler()
    assert sampler.to_pandas().empty
    for label in ("one", "two"):
        with sampler.sample(label, interval=0.01):
            time.sleep(0.05)
    frame = sampler.to_pandas()
    assert list(frame.columns) == ["one", "two"]
    assert frame.index.is_monotonic_increasing
    assert frame["one"].count() == len(sampler.samples["one"])
    aligned = sampler.to_pandas(align=True)
    assert aligned.index[0].total_seconds() == 0.0
    assert aligned.iloc[0].notna().all()


def test_bad_arguments(client):
    sampler = MemorySampler()
    with pytest.raises(ValueError, match=r"'bogus'.*process"):
        sampler.sample(measure="bogus")
    with pytest.raises(ValueError, match="interval"):
        sampler.sample(interval=0)


def test_samples_on_an_event_loop(shared_cluster):
    async def sample():
        sampler = MemorySampler()
        async with Client(shared_cluster, asynchronous=True) as client, sampler.sample("one", interval=0.01):
            await client.submit(time.sleep, 0.05)
        return sampler.samples["one"]

    assert len(asyncio.run(sample())) >= 2


def test_samples_are_kept_of_a_block_that_raises(client):
    sampler = MemorySampler()
    with pytest.raises(ZeroDivisionError), sampler.sample("one", interval=0.01):
        1 / 0  # noqa: B018
    assert sampler.samples["one"]


def test_a_plot_is_what_pandas_draws(client, monkeypatch):
    drawn = []

    def plot(data, kind, **options):
        drawn.append((data, kind, options))
        return "the axes"

    backend = types.ModuleType("recording_backend")
    vars(backend)["plot"] = plot
    monkeypatch.setitem(sys.modules, "recording_backend", backend)
    sampler = MemorySampler()
    with sampler.sample("one", interval=0.01):
        pass
    assert sampler.plot(align=True, backend="recording_backend", title="Memory") == "the axes"
    ((data, kind, options),) = drawn
    assert kind == "line"
    assert list(data.columns) == ["one"]
    assert data.index[0] == 0.0
    assert (options["title"], options["xlabel"]) == ("Memory", "seconds")
