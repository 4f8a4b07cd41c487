"""The call that begins a report may be repeated, as the contract says."""

from __future__ import annotations

import pytest

from dagrpc import Client
from dagrpc._client import diagnostics_rpcs
from dagrpc._client.client_core import core_of
from dagrpc._loop.io_loop import get_loop
from dagrpc.exceptions import InvalidRequestError, UnknownKeyError
from dagrpc.v1 import diagnostics_service_pb2 as pb


def call(client: Client, method: str, request: object, response: type) -> object:
    service = diagnostics_rpcs.diagnostics_service(core_of(client).session)
    return get_loop().run(service.call(method, request, response), 60)  # type: ignore[arg-type]


def begin(client: Client, report_id: str = "") -> pb.BeginReportResponse:
    request = pb.BeginReportRequest(client_id=client.id, report_id=report_id)
    answer = call(client, "BeginReport", request, pb.BeginReportResponse)
    assert isinstance(answer, pb.BeginReportResponse)
    return answer


def end(client: Client, report_id: str) -> None:
    call(client, "EndReport", pb.EndReportRequest(report_id=report_id), pb.EndReportResponse)


def test_a_repeated_call_begins_no_second_report(client: Client) -> None:
    first, again = begin(client, "mine"), begin(client, "mine")
    assert first == again
    assert first.report_id == "mine"
    end(client, "mine")
    with pytest.raises(UnknownKeyError):
        end(client, "mine")


def test_calls_without_an_identifier_begin_a_report_each(client: Client) -> None:
    first, second = begin(client).report_id, begin(client).report_id
    assert first != second
    end(client, first)
    end(client, second)


def test_an_identifier_is_one_clients_and_short(client: Client) -> None:
    begin(client, "mine")
    with (
        Client(client.scheduler.address, set_as_default=False) as other,
        pytest.raises(InvalidRequestError, match="another client's"),
    ):
        begin(other, "mine")
    end(client, "mine")
    with pytest.raises(InvalidRequestError, match="at most 100 characters"):
        begin(client, "x" * 101)
