from dagrpc.v1 import plain_pb2 as _plain_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SetMetadataRequest(_message.Message):
    __slots__ = ("path", "value")
    PATH_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    path: _containers.RepeatedCompositeFieldContainer[_plain_pb2.PlainValue]
    value: _plain_pb2.PlainValue
    def __init__(self, path: _Optional[_Iterable[_Union[_plain_pb2.PlainValue, _Mapping]]] = ..., value: _Optional[_Union[_plain_pb2.PlainValue, _Mapping]] = ...) -> None: ...

class SetMetadataResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetMetadataRequest(_message.Message):
    __slots__ = ("path",)
    PATH_FIELD_NUMBER: _ClassVar[int]
    path: _containers.RepeatedCompositeFieldContainer[_plain_pb2.PlainValue]
    def __init__(self, path: _Optional[_Iterable[_Union[_plain_pb2.PlainValue, _Mapping]]] = ...) -> None: ...

class GetMetadataResponse(_message.Message):
    __slots__ = ("found", "value", "depth")
    FOUND_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    DEPTH_FIELD_NUMBER: _ClassVar[int]
    found: bool
    value: _plain_pb2.PlainValue
    depth: int
    def __init__(self, found: _Optional[bool] = ..., value: _Optional[_Union[_plain_pb2.PlainValue, _Mapping]] = ..., depth: _Optional[int] = ...) -> None: ...
