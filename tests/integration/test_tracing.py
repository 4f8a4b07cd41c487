"""Traces: programs of their own, with clusters of processes, export to a receiver that is a process, too."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.otlp_receiver import ReceivedSpan, Receiver

INTERNAL, SERVER, CLIENT, PRODUCER, CONSUMER = 1, 2, 3, 4, 5
OK, ERROR = (0, 1), 2

BEGIN = """
import json, os, sys
import dask
from dagrpc import Client, LocalCluster, as_completed, get_client, wait

def inc(x):
    return x + 1

def cluster(**options):
    return LocalCluster(**{"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None, **options})

def main():
"""
END = """

if __name__ == "__main__":
    main()
"""
OWN_PROVIDER = """
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider, sampling
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    provider = TracerProvider(sampling.SAMPLER, resource=Resource.create({"service.name": "program"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    tracer = trace.get_tracer("program")
"""


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    with Receiver(tmp_path) as running:
        yield running


def run(folder: Path, body: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a program to its end."""
    file = folder / "program.py"
    file.write_text(BEGIN + body + END)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    environment.update(variables)
    done = subprocess.run(
        [sys.executable, str(file)], env=environment, capture_output=True, text=True, timeout=100, cwd=folder
    )
    assert done.returncode == 0, done.stderr
    return done


def traced(receiver: Receiver, folder: Path, body: str, **variables: str) -> Any:
    """Run a program with traces; return what it printed last, as JSON."""
    done = run(folder, body, DAGRPC_TRACING__ENABLED="true", **receiver.environment, **variables)
    return json.loads(done.stdout.splitlines()[-1])


def one(spans: list[ReceivedSpan], name: str) -> ReceivedSpan:
    (found,) = [span for span in spans if span.name == name]
    return found


def test_a_chain_over_two_workers_is_one_trace(receiver: Receiver, tmp_path: Path) -> None:
    body = (
        OWN_PROVIDER.replace("SAMPLER", "ALWAYS_ON")
        + """
    def double(x):
        from opentelemetry import trace
        with trace.get_tracer("users").start_as_current_span("inside"):
            return get_client().submit(inc, 2 * x, key="nested").result()

    with cluster() as two, Client(two) as client:
        first, second = client.scheduler_info()["workers"]
        with tracer.start_as_current_span("program"):
            made = client.submit(inc, 1, workers=first, key="made")
            used = client.submit(double, made, workers=second, key="used")
            results = client.gather([used])
    provider.shutdown()
    print(json.dumps([first, second, *results]))
"""
    )
    first, second, result = traced(receiver, tmp_path, body)
    assert result == 5
    # The prefix of a key is its own name.
    names = ["program", "submit inc", "submit double", "submit inc", "gather"]
    names += ["wait made", "wait used", "wait nested", "run made", "run used", "run nested", "inside"]
    names += ["dagrpc.v1.WorkerService/FetchData"]
    spans = receiver.wait_for(*names)
    assert sorted(span.name for span in spans) == sorted(names)
    assert len({span.trace for span in spans}) == 1

    program, double = one(spans, "program"), one(spans, "submit double")
    nested, outer = sorted(
        (span for span in spans if span.name == "submit inc"), key=lambda span: span.parent != one(spans, "inside").id
    )
    assert program.parent == ""
    assert {outer.parent, double.parent, one(spans, "gather").parent} == {program.id}
    assert one(spans, "run made").parent == one(spans, "wait made").parent == outer.id
    assert one(spans, "run used").parent == one(spans, "wait used").parent == double.id
    assert one(spans, "inside").parent == one(spans, "run used").id
    assert nested.parent == one(spans, "inside").id
    assert one(spans, "run nested").parent == nested.id

    made, used, fetched = one(spans, "run made"), one(spans, "run used"), one(spans, names[-1])
    assert used.links == [made.id] == fetched.links
    assert fetched.parent == double.id
    kinds = [span.kind for span in (double, one(spans, "wait used"), used, fetched, one(spans, "gather"))]
    assert kinds == [PRODUCER, INTERNAL, CONSUMER, CLIENT, CLIENT]
    assert made.start <= made.end <= fetched.start <= fetched.end <= used.start <= used.end
    assert one(spans, "wait used").end <= used.start
    scopes = {"dagrpc.client": {"program", "dagrpc-worker"}, "dagrpc.scheduler": {"dagrpc-scheduler"}}
    for scope, services in scopes.items():
        assert {span.service for span in spans if span.scope == scope} == services

    assert double.attributes["code.function.name"] == "__main__.main.<locals>.double"
    assert double.attributes["messaging.message.id"] == "used"
    assert used.attributes["dagrpc.task.key"] == "used"
    assert used.attributes["dagrpc.worker.address"] == second
    assert used.attributes["dagrpc.result.type"] == "builtins.int"
    assert fetched.attributes["rpc.method"] == "FetchData"
    assert f"{fetched.attributes['server.address']}:{fetched.attributes['server.port']}" == first


def test_each_call_of_a_user_is_one_trace(receiver: Receiver, tmp_path: Path) -> None:
    body = """
    import asyncio, operator

    async def awaiting(address):
        async with Client(address, asynchronous=True) as client:
            future = client.map(str, [5])[0]
            return [await client.gather([future]), await client.get({"later": (inc, 1)}, "later")]

    with cluster() as two, Client(two) as client:
        client.gather(client.map(inc, [1, 2, 3]))
        lazy = dask.delayed(inc)(dask.delayed(inc)(1, dask_key_name="low"), dask_key_name="high")
        values = [client.compute(lazy, sync=True)]
        persisted = client.persist(dask.delayed(operator.neg)(7, dask_key_name="kept"))
        wait(persisted)
        client.scatter([10, 20])
        with client.get_executor() as executor:
            values.append(executor.submit(pow, 2, 5).result())
        values += asyncio.run(awaiting(two.scheduler_address))
        values.append(dask.compute(dask.delayed(inc)(41, dask_key_name="by-dask"))[0])
    print(json.dumps(values))
"""
    assert traced(receiver, tmp_path, body) == [3, 32, ["5"], 2, 42]
    calls = ["map inc", "gather", "compute", "persist", "scatter", "submit pow", "map str", "gather", "get", "get"]
    runs = ["run inc", "run inc", "run inc", "run low", "run high", "run kept", "run pow", "run str", "run later"]
    spans = receiver.wait_for(*calls, *runs, "run by-dask")
    roots = [span for span in spans if not span.parent]
    assert sorted(span.name for span in roots) == sorted(calls)
    assert len({span.trace for span in roots}) == len(calls)
    parents = {span.id: span for span in roots}
    assert [parents[span.parent].name for span in spans if span.name in ("run low", "run high")] == ["compute"] * 2
    assert len({span.parent for span in spans if span.name == "run inc"}) == 1
    mapped = one(spans, "map inc")
    assert mapped.attributes["messaging.batch.message_count"] == 3
    assert one(spans, "run high").links == [one(spans, "run low").id]
    assert parents[one(spans, "run by-dask").parent].name == "get"
    assert all(span.end >= span.start > 0 for span in spans)
    assert {span.service for span in roots} == {"dagrpc-client"}


def test_failures_are_in_the_spans(receiver: Receiver, tmp_path: Path) -> None:
    body = """
    def fail(x):
        raise ValueError("no luck")

    def die():
        os._exit(1)

    async def falls():
        raise KeyError("later")

    with dask.config.set({"distributed.scheduler.allowed-failures": 0}), cluster() as two, Client(two) as client:
        # A worker that dies takes along what it has not exported.
        dies, lives = client.scheduler_info()["workers"]
        failed = client.submit(fail, 1, key="failed", workers=lives)
        behind = client.submit(inc, failed, key="behind", workers=lives)
        later = client.submit(falls, key="later", workers=lives)
        with dask.annotate(executor="there-is-none"):
            nowhere = client.submit(inc, 5, key="nowhere", workers=lives)
        errors = [type(each.exception()).__name__ for each in (failed, behind, later, nowhere)]
        errors.append(type(client.submit(die, key="deadly", workers=dies).exception()).__name__)
        try:
            client.get({"wrong": (fail, 1)}, "wrong", workers=lives)
        except ValueError as error:
            errors.append(str(error))
    print(json.dumps(errors))
"""
    errors = traced(receiver, tmp_path, body)
    assert errors == ["ValueError", "ValueError", "KeyError", "ValueError", "KilledWorker", "no luck"]
    names = ["run failed", "wait behind", "run later", "run nowhere", "wait deadly", "wait deadly", "run wrong", "get"]
    spans = receiver.wait_for(*names)

    failed = one(spans, "run failed")
    assert (failed.status, failed.message) == (ERROR, "ValueError: no luck")
    ((name, event),) = failed.events
    assert (name, event["exception.type"], event["exception.message"]) == ("exception", "ValueError", "no luck")
    assert 'raise ValueError("no luck")' in event["exception.stacktrace"]
    assert failed.attributes["error.type"] == "ValueError"
    behind = one(spans, "wait behind")
    assert (behind.status, behind.attributes["dagrpc.task.origin"]) == (ERROR, "failed")
    assert [span.name for span in spans if span.name == "run behind"] == []
    assert one(spans, "run later").message == "KeyError: 'later'"
    assert one(spans, "run nowhere").status == ERROR
    given, lost = sorted((span for span in spans if span.name == "wait deadly"), key=lambda span: span.start)
    assert given.status in OK
    assert lost.status == ERROR
    assert lost.attributes["error.type"] == "dagrpc.exceptions.KilledWorker"
    assert given.attributes["dagrpc.worker.address"] == lost.attributes["dagrpc.worker.address"]
    assert (one(spans, "get").status, one(spans, "get").message) == (ERROR, "ValueError: no luck")


def test_a_trace_that_the_caller_does_not_sample_makes_no_spans_anywhere(receiver: Receiver, tmp_path: Path) -> None:
    body = (
        OWN_PROVIDER.replace("SAMPLER", "ALWAYS_OFF")
        + """
    def double(x):
        from opentelemetry import trace
        with trace.get_tracer("users").start_as_current_span("inside"):
            return get_client().submit(inc, 2 * x).result()

    with cluster() as two, Client(two) as client:
        hidden = client.submit(double, client.submit(inc, 1)).result()
        # Of another program that does sample, so that the rest has been exported as well.
        client.run(export)
        submit_from_elsewhere(two.scheduler_address)
    print(json.dumps(hidden))

def export():
    import dagrpc
    dagrpc.export(inc, name="exported")

def submit_from_elsewhere(address):
    import grpc
    from dagrpc.v1 import task_service_pb2 as pb
    call = pb.NamedCall(key="sampled")
    call.call.entrypoint = "exported"
    argument = call.call.arguments.add().value
    argument.encoding, argument.data = "json", b"1"
    request = pb.SubmitRequest(calls=[call], inline_limit=100)
    request.wait.seconds = 60
    submit = grpc.insecure_channel(address).unary_unary(
        "/dagrpc.v1.TaskService/Submit", pb.SubmitRequest.SerializeToString, pb.SubmitResponse.FromString
    )
    metadata = [("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), ("tracestate", "a=b")]
    assert submit(request, metadata=metadata).tasks[0].value.data == b"2"
"""
    )
    assert traced(receiver, tmp_path, body) == 5
    spans = receiver.wait_for("run sampled", "wait sampled")
    assert {span.name for span in spans} == {"run sampled", "wait sampled"}
    assert {span.trace for span in spans} == {"0af7651916cd43dd8448eb211c80319c"}
    assert {span.parent for span in spans} == {"b7ad6b7169203331"}


def test_headers_of_http_and_annotations_name_the_trace(receiver: Receiver, tmp_path: Path) -> None:
    body = """
    from urllib.request import Request, urlopen
    allowed = {"dagrpc.scheduler.http.tasks": True, "dagrpc.worker.allowed-calls": ["math:*"]}
    with dask.config.set(allowed), cluster(dashboard_address=":0") as two, Client(two) as client:
        port = client.scheduler_info()["services"]["dashboard"]
        call = {"key": "by-http", "call": {"entrypoint": "math:sqrt", "arguments": [{"json": 4}]}}
        headers = {"Content-Type": "application/json", "Traceparent": f"00-{'1' * 32}-{'2' * 16}-01"}
        data = json.dumps({"calls": [call], "wait": "60s", "inlineLimit": 1000}).encode()
        answer = urlopen(Request(f"http://127.0.0.1:{port}/v1/tasks:submit", data, headers), timeout=60).read()
        with dask.config.set({"dagrpc.tracing.enabled": False}):
            with dask.annotate(traceparent="00-" + "3" * 32 + "-" + "4" * 16 + "-01"):
                annotated = client.submit(inc, 1, key="annotated").result()
            with dask.annotate(traceparent="nonsense"):
                nonsense = client.submit(inc, 2, key="nonsense").result()
    print(json.dumps([json.loads(answer)["tasks"][0]["value"]["json"], annotated, nonsense]))
"""
    assert traced(receiver, tmp_path, body) == [2, 2, 3]
    spans = receiver.wait_for("run by-http", "wait by-http", "run annotated", "wait annotated")
    assert {(span.trace[0], span.parent[0]) for span in spans if span.name.endswith("by-http")} == {("1", "2")}
    assert {(span.trace[0], span.parent[0]) for span in spans if span.name.endswith("annotated")} == {("3", "4")}
    assert not [span for span in spans if span.name.endswith("nonsense")]


def test_restarted_and_added_workers_make_spans_and_closed_ones_lose_none(receiver: Receiver, tmp_path: Path) -> None:
    body = """
    with cluster(n_workers=1) as growing, Client(growing) as client:
        client.submit(inc, 1, key="before").result()
        client.restart()
        client.submit(inc, 2, key="restarted").result()
        growing.scale(2)
        client.wait_for_workers(2, timeout=60)
        for number, address in enumerate(client.scheduler_info()["workers"]):
            client.submit(inc, number, key=f"on-{number}", workers=address).result()
        client.retire_workers()
    print(json.dumps("done"))
"""
    # Nothing is exported before a process ends.
    environment = {**receiver.environment, "OTEL_BSP_SCHEDULE_DELAY": "600000"}
    run(tmp_path, body, DAGRPC_TRACING__ENABLED="true", **environment)
    spans = receiver.wait_for("run before", "run restarted", "run on", "run on")
    assert {span.status for span in spans} <= set(OK)


def test_services_in_the_program_make_spans_for_its_provider(receiver: Receiver, tmp_path: Path) -> None:
    body = (
        OWN_PROVIDER.replace("SAMPLER", "ALWAYS_ON")
        + """
    with cluster(processes=False) as inside, Client(inside) as client:
        client.submit(inc, 1, key="here").result()
    provider.shutdown()
    print(json.dumps("done"))
"""
    )
    traced(receiver, tmp_path, body)
    spans = receiver.wait_for("submit inc", "run here")
    assert {span.service for span in spans if span.name == "run here"} == {"program"}
    assert one(spans, "run here").parent == one(spans, "submit inc").id


def test_the_example_is_two_traces(receiver: Receiver, tmp_path: Path) -> None:
    example = Path(__file__).parents[2] / "examples" / "tracing.py"
    environment = {**os.environ, **receiver.environment, "DAGRPC_SCHEDULER__DASHBOARD__ADDRESS": ":0"}
    done = subprocess.run(
        [sys.executable, str(example)], env=environment, capture_output=True, text=True, timeout=100, cwd=tmp_path
    )
    assert done.stdout.splitlines() == ["10 words"], done.stderr
    spans = receiver.wait_for(
        "map measure", "submit sum", "run sum", *["run measure", "wait measure", "count words"] * 2
    )
    assert len({span.trace for span in spans}) == 2


def test_an_unreachable_collector_slows_nothing_and_is_told_once(tmp_path: Path) -> None:
    body = """
    import time
    with cluster(n_workers=1) as local, Client(local) as client:
        total = sum(client.gather(client.map(inc, range(3000))))
        # Longer than exports are tried.
        for _ in range(3):
            time.sleep(1)
            total += client.submit(inc, time.time_ns()).result() > 0
    print(json.dumps(total))
"""
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_BSP_SCHEDULE_DELAY": "100"}
    done = run(tmp_path, body, DAGRPC_TRACING__ENABLED="true", **variables)
    assert json.loads(done.stdout) == sum(range(1, 3001)) + 3
    told = [line for line in done.stderr.splitlines() if "cannot be exported to 127.0.0.1:9" in line]
    assert len(told) <= 3
    assert "opentelemetry" not in done.stderr


def test_without_opentelemetry_tracing_is_told_to_be_missing_and_all_else_works(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['opentelemetry'] = None\n")
    body = """
    with cluster(n_workers=1) as local, Client(local) as client:
        print(json.dumps(client.gather(client.map(inc, range(3)))))
"""
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    done = run(tmp_path, body, DAGRPC_TRACING__ENABLED="true", PYTHONPATH=path)
    assert json.loads(done.stdout) == [1, 2, 3]
    assert "pip install 'dagrpc[otel]'" in done.stderr


def test_nothing_is_imported_unless_tracing_is_switched_on(tmp_path: Path) -> None:
    body = """
    def loaded():
        return [name for name in sys.modules if name.startswith("opentelemetry")]

    with cluster(n_workers=1) as local, Client(local) as client:
        client.gather(client.map(inc, range(3)))
        found = [loaded(), *client.run(loaded).values(), client.run_on_scheduler(loaded)]
        wrapped = hasattr(Client.submit, "traced_verb")
    print(json.dumps([found, wrapped]))
"""
    done = run(tmp_path, body)
    assert json.loads(done.stdout) == [[[], [], []], False]
