from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ShuffleRun(_message.Message):
    __slots__ = ("shuffle_id", "run_id")
    SHUFFLE_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    shuffle_id: str
    run_id: int
    def __init__(self, shuffle_id: _Optional[str] = ..., run_id: _Optional[int] = ...) -> None: ...

class SendParcelsRequest(_message.Message):
    __slots__ = ("run", "parcels")
    RUN_FIELD_NUMBER: _ClassVar[int]
    PARCELS_FIELD_NUMBER: _ClassVar[int]
    run: ShuffleRun
    parcels: _containers.RepeatedCompositeFieldContainer[Parcel]
    def __init__(self, run: _Optional[_Union[ShuffleRun, _Mapping]] = ..., parcels: _Optional[_Iterable[_Union[Parcel, _Mapping]]] = ...) -> None: ...

class SendParcelsResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Parcel(_message.Message):
    __slots__ = ("source", "nbytes", "offset", "data", "format", "outputs", "starts")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    NBYTES_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    OUTPUTS_FIELD_NUMBER: _ClassVar[int]
    STARTS_FIELD_NUMBER: _ClassVar[int]
    source: int
    nbytes: int
    offset: int
    data: bytes
    format: str
    outputs: _containers.RepeatedScalarFieldContainer[int]
    starts: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, source: _Optional[int] = ..., nbytes: _Optional[int] = ..., offset: _Optional[int] = ..., data: _Optional[bytes] = ..., format: _Optional[str] = ..., outputs: _Optional[_Iterable[int]] = ..., starts: _Optional[_Iterable[int]] = ...) -> None: ...

class FlushShuffleRequest(_message.Message):
    __slots__ = ("run",)
    RUN_FIELD_NUMBER: _ClassVar[int]
    run: ShuffleRun
    def __init__(self, run: _Optional[_Union[ShuffleRun, _Mapping]] = ...) -> None: ...

class FlushShuffleResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class FetchOutputRequest(_message.Message):
    __slots__ = ("run", "output", "parcels")
    RUN_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    PARCELS_FIELD_NUMBER: _ClassVar[int]
    run: ShuffleRun
    output: int
    parcels: int
    def __init__(self, run: _Optional[_Union[ShuffleRun, _Mapping]] = ..., output: _Optional[int] = ..., parcels: _Optional[int] = ...) -> None: ...

class FetchOutputResponse(_message.Message):
    __slots__ = ("parcels",)
    PARCELS_FIELD_NUMBER: _ClassVar[int]
    parcels: _containers.RepeatedCompositeFieldContainer[Parcel]
    def __init__(self, parcels: _Optional[_Iterable[_Union[Parcel, _Mapping]]] = ...) -> None: ...

class JoinShuffleRequest(_message.Message):
    __slots__ = ("shuffle_id", "worker", "task", "barrier")
    SHUFFLE_ID_FIELD_NUMBER: _ClassVar[int]
    WORKER_FIELD_NUMBER: _ClassVar[int]
    TASK_FIELD_NUMBER: _ClassVar[int]
    BARRIER_FIELD_NUMBER: _ClassVar[int]
    shuffle_id: str
    worker: str
    task: str
    barrier: str
    def __init__(self, shuffle_id: _Optional[str] = ..., worker: _Optional[str] = ..., task: _Optional[str] = ..., barrier: _Optional[str] = ...) -> None: ...

class JoinShuffleResponse(_message.Message):
    __slots__ = ("run_id", "workers")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    run_id: int
    workers: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, run_id: _Optional[int] = ..., workers: _Optional[_Iterable[str]] = ...) -> None: ...

class PassBarrierRequest(_message.Message):
    __slots__ = ("run", "worker", "outputs")
    RUN_FIELD_NUMBER: _ClassVar[int]
    WORKER_FIELD_NUMBER: _ClassVar[int]
    OUTPUTS_FIELD_NUMBER: _ClassVar[int]
    run: ShuffleRun
    worker: str
    outputs: _containers.RepeatedCompositeFieldContainer[OutputPlace]
    def __init__(self, run: _Optional[_Union[ShuffleRun, _Mapping]] = ..., worker: _Optional[str] = ..., outputs: _Optional[_Iterable[_Union[OutputPlace, _Mapping]]] = ...) -> None: ...

class OutputPlace(_message.Message):
    __slots__ = ("key", "worker")
    KEY_FIELD_NUMBER: _ClassVar[int]
    WORKER_FIELD_NUMBER: _ClassVar[int]
    key: str
    worker: int
    def __init__(self, key: _Optional[str] = ..., worker: _Optional[int] = ...) -> None: ...

class PassBarrierResponse(_message.Message):
    __slots__ = ("members",)
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    members: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, members: _Optional[_Iterable[str]] = ...) -> None: ...

class RestartShuffleRequest(_message.Message):
    __slots__ = ("run", "worker", "reason")
    RUN_FIELD_NUMBER: _ClassVar[int]
    WORKER_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    run: ShuffleRun
    worker: str
    reason: str
    def __init__(self, run: _Optional[_Union[ShuffleRun, _Mapping]] = ..., worker: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class RestartShuffleResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
