"""Server reflection, v1 and v1alpha: the contract with its comments, and the descriptors of what else is served."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool
from grpc_reflection.v1alpha import reflection_pb2 as pb

from dagrpc._contract.files import file_descriptors


def answer(request: pb.ServerReflectionRequest, services: Iterable[str]) -> pb.ServerReflectionResponse:
    """Return the answer to a request of either version of reflection: their messages are the same on the wire."""
    kind = request.WhichOneof("message_request")
    response = pb.ServerReflectionResponse(valid_host=request.host, original_request=request)
    if kind == "list_services":
        response.list_services_response.service.extend(pb.ServiceResponse(name=name) for name in sorted(services))
        return response
    try:
        if kind == "file_by_filename":
            name = request.file_by_filename
        elif kind == "file_containing_symbol":
            name = _file_of(request.file_containing_symbol)
        else:
            raise KeyError("the contract has no extensions")
        response.file_descriptor_response.file_descriptor_proto.extend(
            file.SerializeToString() for file in _with_imports(name, set())
        )
    except KeyError as error:
        code: int = grpc.StatusCode.NOT_FOUND.value[0]
        response.error_response.error_code = code
        response.error_response.error_message = str(error.args[0])
    return response


def _with_imports(name: str, seen: set[str]) -> Iterator[descriptor_pb2.FileDescriptorProto]:
    """Yield a file and the files that it imports, each once."""
    if name in seen:
        return
    seen.add(name)
    file = file_descriptors().get(name) or _from_pool(name)
    yield file
    for each in file.dependency:
        yield from _with_imports(each, seen)


def _from_pool(name: str) -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto()
    descriptor_pool.Default().FindFileByName(name).CopyToProto(file)
    return file


def _file_of(symbol: str) -> str:
    """Return the path of the file that declares a symbol: a service, a method, a message, a field or an enum."""
    found = _symbols().get(symbol)
    if found is not None:
        return found
    try:
        name: str = descriptor_pool.Default().FindFileContainingSymbol(symbol).name
    except KeyError:
        raise KeyError(f"Symbol not found: {symbol}") from None
    return name


@cache
def _symbols() -> dict[str, str]:
    """Return the paths of files by the symbols that they declare."""
    found: dict[str, str] = {}
    for file in file_descriptors().values():
        for service in file.service:
            found[f"{file.package}.{service.name}"] = file.name
            found.update((f"{file.package}.{service.name}.{method.name}", file.name) for method in service.method)
        for symbol in _types(file.package, file.message_type, file.enum_type):
            found[symbol] = file.name
    return found


def _types(scope: str, messages: Sequence[Any], enums: Sequence[Any]) -> Iterator[str]:
    """Yield the full names of messages, their fields, enums and enum values below a scope."""
    for enum in enums:
        yield f"{scope}.{enum.name}"
        # The values of an enum are siblings of the enum.
        yield from (f"{scope}.{value.name}" for value in enum.value)
    for message in messages:
        name = f"{scope}.{message.name}"
        yield name
        yield from (f"{name}.{each.name}" for each in (*message.field, *message.oneof_decl))
        yield from _types(name, message.nested_type, message.enum_type)
