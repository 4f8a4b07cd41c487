from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DataOutcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DATA_OUTCOME_UNSPECIFIED: _ClassVar[DataOutcome]
    DATA_OUTCOME_OK: _ClassVar[DataOutcome]
    DATA_OUTCOME_MISSING: _ClassVar[DataOutcome]
    DATA_OUTCOME_NOT_ENCODABLE: _ClassVar[DataOutcome]
    DATA_OUTCOME_DEFERRED: _ClassVar[DataOutcome]
DATA_OUTCOME_UNSPECIFIED: DataOutcome
DATA_OUTCOME_OK: DataOutcome
DATA_OUTCOME_MISSING: DataOutcome
DATA_OUTCOME_NOT_ENCODABLE: DataOutcome
DATA_OUTCOME_DEFERRED: DataOutcome

class Manifest(_message.Message):
    __slots__ = ("entries", "pid", "host", "whole", "data")
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    HOST_FIELD_NUMBER: _ClassVar[int]
    WHOLE_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[ManifestEntry]
    pid: int
    host: str
    whole: bool
    data: bytes
    def __init__(self, entries: _Optional[_Iterable[_Union[ManifestEntry, _Mapping]]] = ..., pid: _Optional[int] = ..., host: _Optional[str] = ..., whole: _Optional[bool] = ..., data: _Optional[bytes] = ...) -> None: ...

class ManifestEntry(_message.Message):
    __slots__ = ("key", "outcome", "encoding", "frame_lengths", "type_name", "nbytes", "message", "frame_addresses", "frame_compressions", "traceparent")
    KEY_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    ENCODING_FIELD_NUMBER: _ClassVar[int]
    FRAME_LENGTHS_FIELD_NUMBER: _ClassVar[int]
    TYPE_NAME_FIELD_NUMBER: _ClassVar[int]
    NBYTES_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    FRAME_ADDRESSES_FIELD_NUMBER: _ClassVar[int]
    FRAME_COMPRESSIONS_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    key: str
    outcome: DataOutcome
    encoding: str
    frame_lengths: _containers.RepeatedScalarFieldContainer[int]
    type_name: str
    nbytes: int
    message: str
    frame_addresses: _containers.RepeatedScalarFieldContainer[int]
    frame_compressions: _containers.RepeatedScalarFieldContainer[str]
    traceparent: str
    def __init__(self, key: _Optional[str] = ..., outcome: _Optional[_Union[DataOutcome, str]] = ..., encoding: _Optional[str] = ..., frame_lengths: _Optional[_Iterable[int]] = ..., type_name: _Optional[str] = ..., nbytes: _Optional[int] = ..., message: _Optional[str] = ..., frame_addresses: _Optional[_Iterable[int]] = ..., frame_compressions: _Optional[_Iterable[str]] = ..., traceparent: _Optional[str] = ...) -> None: ...

class DataChunk(_message.Message):
    __slots__ = ("offset", "data")
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    offset: int
    data: bytes
    def __init__(self, offset: _Optional[int] = ..., data: _Optional[bytes] = ...) -> None: ...

class TransferEnd(_message.Message):
    __slots__ = ("total_bytes",)
    TOTAL_BYTES_FIELD_NUMBER: _ClassVar[int]
    total_bytes: int
    def __init__(self, total_bytes: _Optional[int] = ...) -> None: ...
