"""Datasets, which hold the results that their values refer to, and metadata."""

import pytest

from dagrpc_scheduler.coordination.metadata_tree import Metadata
from dagrpc_scheduler.coordination.operations import (
    EXISTS,
    AcknowledgeValues,
    GetDatasets,
    ListDatasets,
    PublishDatasets,
    UnpublishDatasets,
)
from tests.unit.coordination.harness import Bench, data, future


def test_a_published_dataset_is_held_until_it_is_unpublished() -> None:
    bench = Bench()
    assert bench.do("a", PublishDatasets([("x", future("k1")), ("y", data("plain"))])).done
    assert bench.held == {"published-x": {"k1"}}
    bench.gone("a")
    assert bench.held == {"published-x": {"k1"}}
    assert list(bench.do("b", ListDatasets()).names) == ["x", "y"]
    bench.do("b", UnpublishDatasets(["x", "unknown"]))
    assert bench.held == {}
    assert list(bench.do("b", ListDatasets()).names) == ["y"]


def test_all_or_nothing_is_published() -> None:
    bench = Bench()
    bench.do("a", PublishDatasets([("x", future("k1"))]))
    refused = bench.do("a", PublishDatasets([("y", future("k2")), ("x", future("k3"))]))
    assert (refused.done, refused.refusal, list(refused.names)) == (False, EXISTS, ["x"])
    assert bench.held == {"published-x": {"k1"}}
    assert list(bench.do("a", ListDatasets()).names) == ["x"]


def test_an_override_takes_the_place_and_lets_go() -> None:
    bench = Bench()
    bench.do("a", PublishDatasets([("x", future("k1"))]))
    bench.do("a", PublishDatasets([("x", future("k2"))], override=True))
    assert bench.held == {"published-x": {"k2"}}
    # The same key again: its result must not be released in between.
    bench.do("a", PublishDatasets([("x", future("k2"))], override=True))
    assert bench.held == {"published-x": {"k2"}}
    bench.do("a", PublishDatasets([("x", data("plain"))], override=True))
    assert bench.held == {}


def test_a_dataset_on_its_way_is_held() -> None:
    bench = Bench()
    bench.do("a", PublishDatasets([("x", future("k1")), ("y", future("k2"))]))
    number = bench.ask("b", GetDatasets(["y", "x"]))
    assert [value.keys for value in bench.answered("b", number).values] == [("k2",), ("k1",)]
    bench.do("a", UnpublishDatasets(["x", "y"]))
    assert bench.held == {"published-x": {"k1"}, "published-y": {"k2"}}
    bench.ask("b", AcknowledgeValues(number))
    assert bench.held == {}
    bench.gone("b")


def test_a_dataset_on_its_way_to_a_client_that_left_is_released() -> None:
    bench = Bench()
    bench.do("a", PublishDatasets([("x", future("k1")), ("y", future("k2"))]))
    bench.ask("b", GetDatasets(["x", "y"]))
    bench.do("a", UnpublishDatasets(["x", "y"]))
    bench.gone("b")
    assert bench.held == {}
    assert bench.coordinator.wait_queue.idle


def test_missing_names_are_named() -> None:
    bench = Bench()
    bench.do("a", PublishDatasets([("x", future("k1"))]))
    answer = bench.do("a", GetDatasets(["x", "y", "z"]))
    assert (answer.done, list(answer.names), list(answer.values)) == (False, ["y", "z"], [])
    assert bench.held == {"published-x": {"k1"}}


def test_metadata_is_a_tree() -> None:
    metadata = Metadata()
    metadata.set(["a", "b", "c"], 1)
    metadata.set(["a", ("t", 1)], [2])
    assert metadata.get(["a"]) == {"b": {"c": 1}, ("t", 1): [2]}
    assert metadata.get([]) == {"a": {"b": {"c": 1}, ("t", 1): [2]}}
    metadata.set(["a", "b"], 5)
    metadata.set(["a", "b", "d"], 6)
    assert metadata.get(["a", "b"]) == {"d": 6}
    metadata.set(["x"], {"y": 1})
    metadata.set(["x", "z"], 2)
    assert metadata.get(["x"]) == {"y": 1, "z": 2}


@pytest.mark.parametrize(
    ("path", "depth"), [(["no"], 0), (["a", "no"], 1), (["a", "b", "c"], 2), (["a", "b", "c", "d"], 2)]
)
def test_a_missing_dataset_is_a_lookup_error(path: list[str], depth: int) -> None:
    metadata = Metadata()
    metadata.set(["a", "b"], 1)
    with pytest.raises(LookupError) as caught:
        metadata.get(path)
    assert caught.value.args == (depth,)
