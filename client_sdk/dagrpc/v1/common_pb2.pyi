from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class WorkerStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    WORKER_STATUS_UNSPECIFIED: _ClassVar[WorkerStatus]
    WORKER_STATUS_RUNNING: _ClassVar[WorkerStatus]
    WORKER_STATUS_PAUSED: _ClassVar[WorkerStatus]
    WORKER_STATUS_RETIRING: _ClassVar[WorkerStatus]
    WORKER_STATUS_CLOSING: _ClassVar[WorkerStatus]
    WORKER_STATUS_DISCONNECTED: _ClassVar[WorkerStatus]
WORKER_STATUS_UNSPECIFIED: WorkerStatus
WORKER_STATUS_RUNNING: WorkerStatus
WORKER_STATUS_PAUSED: WorkerStatus
WORKER_STATUS_RETIRING: WorkerStatus
WORKER_STATUS_CLOSING: WorkerStatus
WORKER_STATUS_DISCONNECTED: WorkerStatus

class Payload(_message.Message):
    __slots__ = ("encoding", "frame_lengths", "data")
    ENCODING_FIELD_NUMBER: _ClassVar[int]
    FRAME_LENGTHS_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    encoding: str
    frame_lengths: _containers.RepeatedScalarFieldContainer[int]
    data: bytes
    def __init__(self, encoding: _Optional[str] = ..., frame_lengths: _Optional[_Iterable[int]] = ..., data: _Optional[bytes] = ...) -> None: ...

class SharedPayload(_message.Message):
    __slots__ = ("digest", "data")
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    digest: bytes
    data: bytes
    def __init__(self, digest: _Optional[bytes] = ..., data: _Optional[bytes] = ...) -> None: ...

class Fragment(_message.Message):
    __slots__ = ("data", "last")
    DATA_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    last: bool
    def __init__(self, data: _Optional[bytes] = ..., last: _Optional[bool] = ...) -> None: ...

class Versions(_message.Message):
    __slots__ = ("dagrpc", "python", "dask", "protocol_min", "protocol_max")
    DAGRPC_FIELD_NUMBER: _ClassVar[int]
    PYTHON_FIELD_NUMBER: _ClassVar[int]
    DASK_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_MIN_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_MAX_FIELD_NUMBER: _ClassVar[int]
    dagrpc: str
    python: str
    dask: str
    protocol_min: int
    protocol_max: int
    def __init__(self, dagrpc: _Optional[str] = ..., python: _Optional[str] = ..., dask: _Optional[str] = ..., protocol_min: _Optional[int] = ..., protocol_max: _Optional[int] = ...) -> None: ...

class DataRef(_message.Message):
    __slots__ = ("key", "nbytes", "workers")
    KEY_FIELD_NUMBER: _ClassVar[int]
    NBYTES_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    key: str
    nbytes: int
    workers: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, key: _Optional[str] = ..., nbytes: _Optional[int] = ..., workers: _Optional[_Iterable[str]] = ...) -> None: ...

class Resumption(_message.Message):
    __slots__ = ("received",)
    RECEIVED_FIELD_NUMBER: _ClassVar[int]
    received: int
    def __init__(self, received: _Optional[int] = ...) -> None: ...
