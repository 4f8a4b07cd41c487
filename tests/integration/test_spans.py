"""Spans: tags that travel with tasks, and the totals that the scheduler keeps for each span."""

import asyncio

import dask
import pytest

from dagrpc import Client, LocalCluster, progress, span, wait
from tests.support.waiting import eventually


def inc(x):
    return x + 1


def fail(x):
    raise ZeroDivisionError


def test_tags_nest_and_need_not_be_strings():
    with span("a", "b") as outer:
        annotation = dask.get_annotations()["span"]
        assert annotation["name"] == ("a", "b")
        assert annotation["ids"][-1] == outer
        with span("c") as inner:
            annotation = dask.get_annotations()["span"]
            assert annotation["name"] == ("a", "b", "c")
            assert annotation["ids"][1:] == (outer, inner)
    assert "span" not in dask.get_annotations()
    with pytest.raises(ValueError, match="at least one span tag"), span():
        pass


def test_resources_of_the_tasks_of_a_span(fresh_cluster):
    with Client(fresh_cluster) as client:
        with pytest.raises(ValueError, match="Nothing to merge"):
            client.get_spans().merge_all()
        with span("work", "first") as first:
            with span("inside") as inside:
                inner = client.map(inc, range(5), key="inner")
            outer = client.submit(inc, 100, key="outer")
        plain = client.submit(inc, 200, key="plain")
        wait([*inner, outer, plain])
        spans = client.get_spans()
        assert len(spans.spans) == 3
        found = spans.spans[first]
        assert found.name == ("work", "first")
        assert found.parent is spans.root_spans[0]
        assert [child.id for child in found.children] == [inside]
        assert found.annotation["ids"][-1] == first
        assert found.states["memory"] == 6
        assert found.children[0].states["memory"] == 5
        assert found.done
        assert 0 < found.enqueued <= found.start <= found.stop
        assert found.duration == sum(found.all_durations.values()) >= 0
        assert found.nbytes_total == sum(client.nbytes([*inner, outer], summary=False).values())
        assert set(found.traverse_groups()) == {"inner", "outer"}
        assert {key[1] for key in found.cumulative_worker_metrics} == {"inner", "outer"}
        assert {threads for *_, threads in found.nthreads_intervals} == {2}
        assert found.active_cpu_seconds > 0
        assert found.metadata is None
        assert first in repr(found)
        assert spans.merge_all().states["memory"] == 6
        assert list(spans.find_by_tags("first", "work")) == spans.root_spans
        assert spans.merge_by_tags("inside").states["memory"] == 5
        del inner, outer
        eventually(lambda: client.get_spans().spans[first].states["forgotten"] == 6)


def test_collections_and_failures(client):
    with span("delayed") as made:
        x = dask.delayed(inc)(dask.delayed(inc)(1))
        bad = dask.delayed(fail)(2)
    # Elsewhere, and later.
    assert client.compute(x).result() == 3
    erred = client.compute(bad)
    wait(erred)
    found = client.get_spans().spans[made]
    assert found.states["erred"] == 1
    assert found.done
    assert len(list(found.traverse_groups())) >= 2


def test_code_on_the_scheduler_sees_them(client):
    with span("seen-there", "part") as made:
        future = client.submit(inc, 1, pure=False)
    wait(future)

    def look(dask_scheduler):
        extension = dask_scheduler.extensions["spans"]
        found = extension.spans[made]
        found.add_metadata({"note": 1})
        return found, extension.merge_by_tags("part").states["memory"], len(list(extension.find_by_tags("part")))

    found, in_memory, count = client.run_on_scheduler(look)
    assert found.name == ("seen-there", "part")
    assert found.parent.name == ("seen-there",)
    assert (in_memory, count) == (1, 1)
    assert client.get_spans().spans[made].metadata == {"note": 1}


def test_bars_by_span(client):
    with span("left"):
        left = client.map(inc, range(3), pure=False)
    with span("right", "part"):
        right = client.submit(sum, left, pure=False)
    plain = client.submit(inc, 1)
    view = progress(right, plain, notebook=True, group_by="spans")
    eventually(lambda: view.done)
    totals = {name: counts["total"] for name, counts in view.state.items()}
    assert totals == {"left": 3, "right - part": 1, "default": 1}


def test_annotations_of_that_name_that_are_no_span(client):
    for value in ("mine", {"name": ["x"]}, {"name": ["x"], "ids": []}, {"name": 1, "ids": 2}):
        with dask.annotate(span=value):
            assert client.submit(inc, 1, pure=False).result() == 2


def test_a_known_task_stays_where_it_is(client):
    known = client.submit(inc, 1, key="known-before")
    with span("too-late") as made:
        again = client.submit(inc, 1, key="known-before")
        new = client.submit(inc, 2, key="new-now")
    wait([known, again, new])
    assert client.get_spans().spans[made].states["memory"] == 1


def test_on_an_event_loop(shared_cluster: LocalCluster):
    async def main():
        async with Client(shared_cluster.scheduler_address, asynchronous=True) as client:
            with span("async") as made:
                future = client.submit(inc, 1, pure=False)
            await future
            return (await client.get_spans()).spans[made].states["memory"]

    assert asyncio.run(main()) == 1
