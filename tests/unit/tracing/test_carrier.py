"""The trace of a task among its annotations."""

import json
from typing import Any

import pytest

from dagrpc._tracing.carrier import chosen, headers_of, stamp
from dagrpc.v1.graph_pb2 import GraphPart

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize(
    "annotations",
    ["", "{", "[]", '"traceparent"', '{"traceparent": 5}', '{"traceparent": null}', '{"tracestate": "a=b"}',
     json.dumps({"traceparent": "x" * 2000})],
)  # fmt: skip
def test_annotations_of_any_other_form_name_no_trace(annotations: str) -> None:
    assert headers_of(annotations) == {}


def test_a_trace_is_found_among_other_annotations() -> None:
    annotations = json.dumps({"color": "red", "traceparent": TRACE, "tracestate": "a=b"})
    assert headers_of(annotations) == {"traceparent": TRACE, "tracestate": "a=b"}


def test_other_headers_of_a_call_are_left_out() -> None:
    assert chosen({"user-agent": "x", "traceparent": TRACE, "trace-bin": b"1"}) == {"traceparent": TRACE}
    assert chosen({"traceparent": b"bytes"}) == {}


def annotations_in(part: GraphPart) -> list[Any]:
    return [json.loads(part.options[task.options - 1].annotations) for task in part.tasks]


def test_tasks_without_a_trace_get_that_of_the_call() -> None:
    part = GraphPart()
    part.options.add(annotations='{"color": "red"}', retries=2)
    part.options.add(annotations='{"traceparent": "own"}')
    for options in (1, 2, 0, 0):
        part.tasks.add(options=options)
    stamp(part, {"traceparent": TRACE})
    expected = [{"color": "red", "traceparent": TRACE}, {"traceparent": "own"}, *[{"traceparent": TRACE}] * 2]
    assert annotations_in(part) == expected
    assert [options.retries for options in part.options] == [2, 0, 0]


def test_annotations_that_are_no_object_stay_as_they_are() -> None:
    part = GraphPart()
    for annotations in ("{", "[1]", "5"):
        part.options.add(annotations=annotations)
        part.tasks.add(options=len(part.options))
    stamp(part, {"traceparent": TRACE})
    assert [options.annotations for options in part.options] == ["{", "[1]", "5"]
