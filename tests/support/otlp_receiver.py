"""An OTLP receiver as a process of its own: ``python -m tests.support.otlp_receiver FILE``.

It prints its port, and appends each span that it is sent to the file, as a line of JSON. `Receiver` starts one.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from concurrent import futures
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import grpc

LIMIT = 60.0
"""Seconds that tests wait for spans."""


@dataclass(frozen=True)
class ReceivedSpan:
    """A span as the receiver got it. Ids are in hexadecimal digits."""

    name: str
    kind: int
    trace: str
    id: str
    parent: str
    scope: str
    service: str
    start: int
    end: int
    attributes: dict[str, Any]
    links: list[str]
    status: int
    message: str
    events: list[tuple[str, dict[str, Any]]]


class Receiver:
    """A running receiver, for ``with``."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "spans.jsonl"
        self._file.touch()

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "tests.support.otlp_receiver", str(self._file)]
        root = Path(__file__).parents[2]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root)
        assert self._process.stdout is not None
        self.endpoint = f"http://127.0.0.1:{int(self._process.stdout.readline())}"
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    @property
    def environment(self) -> dict[str, str]:
        """The variables that make processes export here, soon."""
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": self.endpoint, "OTEL_BSP_SCHEDULE_DELAY": "100"}

    def spans(self) -> list[ReceivedSpan]:
        """Return the spans that have come so far."""
        lines = self._file.read_text().splitlines(keepends=True)
        return [ReceivedSpan(**json.loads(line)) for line in lines if line.endswith("\n")]

    def wait_for(self, *names: str) -> list[ReceivedSpan]:
        """Return all spans once there are some of these names, each as often as it is named."""
        deadline = time.monotonic() + LIMIT
        while True:
            found = self.spans()
            present = [span.name for span in found]
            if all(present.count(name) >= names.count(name) for name in names):
                return found
            assert time.monotonic() < deadline, f"of {names} there are only {sorted(present)}"
            time.sleep(0.05)


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    return [_value(each) for each in value.array_value.values] if kind == "array_value" else getattr(value, kind)


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def main() -> None:
    """Serve until the standard input ends."""
    from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as pb
    from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as services

    lock = threading.Lock()
    path = Path(sys.argv[1])

    class Servicer(services.TraceServiceServicer):
        def Export(self, request: Any, context: Any) -> Any:
            with lock, path.open("a") as file:
                for resource in request.resource_spans:
                    service = _attributes(resource.resource.attributes).get("service.name", "")
                    for scope in resource.scope_spans:
                        for span in scope.spans:
                            file.write(json.dumps(_facts(span, scope.scope.name, service)) + "\n")
            return pb.ExportTraceServiceResponse()

    server = grpc.server(futures.ThreadPoolExecutor(4))
    services.add_TraceServiceServicer_to_server(Servicer(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    sys.stdin.read()
    server.stop(0)


def _facts(span: Any, scope: str, service: str) -> dict[str, Any]:
    return {
        "name": span.name,
        "kind": span.kind,
        "trace": span.trace_id.hex(),
        "id": span.span_id.hex(),
        "parent": span.parent_span_id.hex(),
        "scope": scope,
        "service": service,
        "start": span.start_time_unix_nano,
        "end": span.end_time_unix_nano,
        "attributes": _attributes(span.attributes),
        "links": [link.span_id.hex() for link in span.links],
        "status": span.status.code,
        "message": span.status.message,
        "events": [(event.name, _attributes(event.attributes)) for event in span.events],
    }


if __name__ == "__main__":
    main()
