"""Commands as messages: few, in order, of bounded size."""

from dagrpc._client.commands import (
    PART_BYTES,
    Call,
    Cancel,
    HoldShared,
    Part,
    Ping,
    ReleaseShared,
    Retry,
    Want,
    encode_commands,
)
from dagrpc._client.key_table import KeyState
from dagrpc.v1 import graph_pb2


def call(key, digest=b"f", dependencies=(), options=None, fifo=0.1, run_spec=b"spec"):
    return Call(key, run_spec, digest, list(dependencies), options, fifo)


def kinds(request):
    return [command.WhichOneof("command") for command in request.commands]


def test_nothing_makes_no_message():
    assert list(encode_commands([])) == []


def test_consecutive_calls_share_a_part():
    options = graph_pb2.TaskOptions(priority=1)
    [request] = encode_commands(
        [call("a"), call("b", dependencies=["a"]), call("c", b"g", options=options), call("d", b"f", options=options)]
    )
    assert kinds(request) == ["graph"]
    part = request.commands[0].graph
    assert part.last
    assert part.fifo_timeout_seconds == 0.1
    assert [(shared.digest, shared.data) for shared in part.shared] == [(b"f", b""), (b"g", b"")]
    assert list(part.options) == [options]
    assert [task.key for task in part.tasks] == ["a", "b", "c", "d"]
    assert [list(task.shared) for task in part.tasks] == [[0], [0], [1], [0]]
    assert [task.options for task in part.tasks] == [0, 0, 1, 1]
    assert list(part.tasks[1].dependencies) == ["a"]
    assert all(task.wanted and task.run_spec == b"spec" for task in part.tasks)


def test_order_is_kept():
    state = KeyState("a", "a")
    [request] = encode_commands(
        [
            HoldShared(b"f", b"function"),
            call("a"),
            state,
            state,
            call("b"),
            Want(["x"]),
            Cancel(["c"], True, "user", "why"),
            Ping(3),
            Retry(["d"]),
            ReleaseShared([b"f"]),
            call("e"),
            call("f", fifo=60.0),
        ]
    )
    assert kinds(request) == [
        *["hold_shared", "graph", "release", "graph", "want", "cancel", "ping", "retry", "release_shared"],
        *["graph", "graph"],
    ]
    assert list(request.commands[2].release.keys) == ["a", "a"]
    cancel = request.commands[5].cancel
    assert (list(cancel.keys), cancel.force, cancel.reason, cancel.message) == (["c"], True, "user", "why")
    assert request.commands[6].ping.token == 3
    graphs = [command.graph.graph_id for command in request.commands if command.HasField("graph")]
    assert len(set(graphs)) == len(graphs)


def test_parts_go_as_they_are():
    part = Part("g1", 60.0, last=True, shared=[(b"d", b"data")], options=[graph_pb2.TaskOptions(retries=2)])
    part.add(("a", (), b"spec", (0,), 1, 5, False))
    part.add(("b", ("a",), b"spec", (), 0, 6, True))
    [request] = encode_commands([part])
    graph = request.commands[0].graph
    assert (graph.graph_id, graph.last, graph.fifo_timeout_seconds) == ("g1", True, 60.0)
    assert [(task.key, task.order, task.wanted, task.options) for task in graph.tasks] == [
        ("a", 5, False, 1),
        ("b", 6, True, 0),
    ]
    assert graph.options[0].retries == 2


def test_messages_are_of_bounded_size():
    large = b"x" * (PART_BYTES // 4)
    requests = list(encode_commands(call(f"k{i}", run_spec=large) for i in range(10)))
    assert len(requests) == 3
    assert [task.key for r in requests for task in r.commands[0].graph.tasks] == [f"k{i}" for i in range(10)]
    assert all(request.ByteSize() < 1.3 * PART_BYTES for request in requests)


def test_a_part_knows_when_it_is_full():
    part = Part("g")
    part.add(("a", (), b"x" * PART_BYTES, (), 0, 0, False))
    assert part.full
    part = Part("g")
    for i in range(1_000):
        assert not part.full
        part.add((str(i), (), b"", (), 0, i, False))
    assert part.full
