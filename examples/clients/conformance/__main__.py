"""Runs the cases from Python: ``python -m examples.clients.conformance CONFIG``."""

from __future__ import annotations

import contextlib
import hashlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc

from dagrpc.v1 import data_pb2, failure_pb2
from dagrpc.v1 import task_service_pb2 as pb
from examples.clients.conformance.service import (
    SETTLED,
    NotEncodableError,
    RefusedError,
    Tasks,
    add_argument,
    open_channel,
)

PATIENCE = 240.0
"""Seconds of a step without a deadline of its own."""


class Runner:
    """Runs cases on one cluster."""

    def __init__(self, config: dict[str, Any]) -> None:
        self._config = config
        self._prefix = f"{config['run']}-"
        credentials = grpc.ssl_channel_credentials(
            *(Path(config[name]).read_bytes() for name in ("ca", "key", "certificate"))
        )
        name = config["server_name"]
        self._direct = open_channel(config["address"], credentials, name)
        self._through_proxy = open_channel(config["proxy"], credentials, name)
        self._steps: dict[str, Callable[[Tasks, dict[str, Any], float], Any]] = {
            "submit": self._submit,
            "wait": self._wait,
            "watch": self._watch,
            "result": self._result,
            "cancel": self._cancel,
            "release": self._release,
            "functions": self._functions,
        }

    def run(self, case: dict[str, Any]) -> list[Any]:
        """Return the outcomes of a case."""
        outcomes = [self._outcome(case["case"], step) for step in case["steps"]]
        with contextlib.suppress(RefusedError):
            tasks = self._tasks(case["case"], {})
            tasks.call("Renew", pb.RenewRequest(lease=tasks.lease, end=True), time.monotonic() + 60)
        return outcomes

    def _tasks(self, case: str, step: dict[str, Any]) -> Tasks:
        channel = self._through_proxy if step.get("through") else self._direct
        return Tasks(channel, self._config["tokens"][step.get("as", "caller")], self._prefix + case)

    def _outcome(self, case: str, step: dict[str, Any]) -> Any:
        deadline = time.monotonic() + step.get("seconds", PATIENCE)
        try:
            return self._steps[step["do"]](self._tasks(case, step), step, deadline)
        except NotEncodableError:
            return "not encodable"
        except RefusedError as error:
            return {"refused": error.code, "reason": error.reason}

    # --- steps ---------------------------------------------------------------------------------------------------

    def _submit(self, tasks: Tasks, step: dict[str, Any], deadline: float) -> Any:
        if "each" in step:
            calls = [self._call({"function": step["function"], "arguments": [i]}) for i in range(step["each"])]
            values = [json.loads(task.value.data) for task in tasks.submit(calls, deadline)]
            return {"count": len(values), "sum": sum(values)}
        calls = [self._call(call) for call in step["calls"]]
        return self._states(tasks.submit(calls, deadline, step.get("wait", True)))

    def _wait(self, tasks: Tasks, step: dict[str, Any], deadline: float) -> Any:
        return self._states(tasks.wait(self._keys(step), deadline))

    def _watch(self, tasks: Tasks, step: dict[str, Any], deadline: float) -> Any:
        keys, found = self._keys(step), {}
        for task in tasks.watch(deadline):
            if task.state in SETTLED:
                found[task.key] = task
            if found.keys() >= set(keys):
                break
        return self._states([found[key] for key in keys])

    def _result(self, tasks: Tasks, step: dict[str, Any], deadline: float) -> Any:
        task, data = tasks.result(self._prefix + step["key"], deadline)
        if task.value_outcome != data_pb2.DATA_OUTCOME_OK:
            return self._state(task)
        return {"encoding": task.value.encoding, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}

    def _cancel(self, tasks: Tasks, step: dict[str, Any], deadline: float) -> str:
        interrupt = step.get("interrupt", False)
        request = pb.CancelRequest(lease=tasks.lease, keys=self._keys(step), interrupt=interrupt)
        tasks.call("Cancel", request, deadline)
        return "ok"

    def _release(self, tasks: Tasks, step: dict[str, Any], deadline: float) -> str:
        tasks.call("Renew", pb.RenewRequest(lease=tasks.lease, release=self._keys(step)), deadline)
        return "ok"

    def _functions(self, tasks: Tasks, step: dict[str, Any], deadline: float) -> list[str]:
        names: list[str] = []
        request = pb.ListFunctionsRequest(prefix=step["prefix"], page_size=3)
        while True:
            page = tasks.call("ListFunctions", request, deadline)
            names.extend(function.name for function in page.functions)
            request.page_token = page.next_page_token
            if not request.page_token:
                return names

    # --- values --------------------------------------------------------------------------------------------------

    def _keys(self, step: dict[str, Any]) -> list[str]:
        return [self._prefix + key for key in step["keys"]]

    def _call(self, described: dict[str, Any]) -> pb.NamedCall:
        named = pb.NamedCall()
        if "key" in described:
            named.key = self._prefix + described["key"]
        named.call.entrypoint = described["function"]
        for value in described["arguments"]:
            self._add(named.call.arguments.add(), value)
        for name, value in described.get("named", {}).items():
            self._add(named.call.keyword_arguments[name], value)
        options = described.get("options", {})
        if options:
            named.options.retries = options.get("retries", 0)
            named.options.timeout_seconds = options.get("timeoutSeconds", 0)
        return named

    def _add(self, argument: Any, value: Any) -> None:
        match value:
            case {"$task": key}:
                argument.task = self._prefix + key
            case {"$shared": key}:
                argument.task = key
            case {"$bytes": size}:
                add_argument(argument, (bytes(range(251)) * (size // 251 + 1))[:size])
            case {"$name": text}:
                add_argument(argument, self._prefix + text)
            case {"$nan": _}:
                add_argument(argument, float("nan"))
            case _:
                add_argument(argument, value)

    def _states(self, tasks: list[pb.TaskStatus]) -> list[Any]:
        return [self._state(task) for task in tasks]

    def _state(self, task: pb.TaskStatus) -> Any:
        if task.state == pb.LEASED_STATE_FAILED:
            failure = task.failure
            kind = failure_pb2.FailureKind.Name(failure.kind).removeprefix("FAILURE_KIND_")
            origin = failure.origin_key.removeprefix(self._prefix)
            return {"failed": kind, "type": failure.type_name, "message": failure.message, "origin": origin}
        if task.state != pb.LEASED_STATE_DONE:
            names = {pb.LEASED_STATE_CANCELLED: "cancelled", pb.LEASED_STATE_UNKNOWN: "unknown"}
            return names.get(task.state, "unsettled")
        if task.value_outcome == data_pb2.DATA_OUTCOME_NOT_ENCODABLE:
            return "not encodable"
        if task.value.encoding == "json":
            return {"value": json.loads(task.value.data)}
        return {"raw": len(task.value.data) if task.HasField("value") else task.nbytes}


def main(path: str) -> None:
    """Run the cases that a file of configuration names, and print their outcomes."""
    config = json.loads(Path(path).read_text(encoding="utf-8"))
    runner = Runner(config)
    for case in json.loads(Path(config["cases"]).read_text(encoding="utf-8")):
        print(json.dumps({"case": case["case"], "outcomes": runner.run(case)}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
