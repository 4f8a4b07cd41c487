from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetVersionsRequest(_message.Message):
    __slots__ = ("packages", "with_workers")
    PACKAGES_FIELD_NUMBER: _ClassVar[int]
    WITH_WORKERS_FIELD_NUMBER: _ClassVar[int]
    packages: _containers.RepeatedScalarFieldContainer[str]
    with_workers: bool
    def __init__(self, packages: _Optional[_Iterable[str]] = ..., with_workers: _Optional[bool] = ...) -> None: ...

class GetVersionsResponse(_message.Message):
    __slots__ = ("own", "workers", "unreachable")
    class WorkersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: ProcessVersions
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[ProcessVersions, _Mapping]] = ...) -> None: ...
    class UnreachableEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    OWN_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    UNREACHABLE_FIELD_NUMBER: _ClassVar[int]
    own: ProcessVersions
    workers: _containers.MessageMap[str, ProcessVersions]
    unreachable: _containers.ScalarMap[str, str]
    def __init__(self, own: _Optional[_Union[ProcessVersions, _Mapping]] = ..., workers: _Optional[_Mapping[str, ProcessVersions]] = ..., unreachable: _Optional[_Mapping[str, str]] = ...) -> None: ...

class ProcessVersions(_message.Message):
    __slots__ = ("host", "packages")
    class HostEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class PackagesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    HOST_FIELD_NUMBER: _ClassVar[int]
    PACKAGES_FIELD_NUMBER: _ClassVar[int]
    host: _containers.ScalarMap[str, str]
    packages: _containers.ScalarMap[str, str]
    def __init__(self, host: _Optional[_Mapping[str, str]] = ..., packages: _Optional[_Mapping[str, str]] = ...) -> None: ...

class GetStoryRequest(_message.Message):
    __slots__ = ("keys_or_stimuli", "with_workers")
    KEYS_OR_STIMULI_FIELD_NUMBER: _ClassVar[int]
    WITH_WORKERS_FIELD_NUMBER: _ClassVar[int]
    keys_or_stimuli: _containers.RepeatedScalarFieldContainer[str]
    with_workers: bool
    def __init__(self, keys_or_stimuli: _Optional[_Iterable[str]] = ..., with_workers: _Optional[bool] = ...) -> None: ...

class GetStoryResponse(_message.Message):
    __slots__ = ("transitions", "unreachable")
    class UnreachableEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    TRANSITIONS_FIELD_NUMBER: _ClassVar[int]
    UNREACHABLE_FIELD_NUMBER: _ClassVar[int]
    transitions: _containers.RepeatedCompositeFieldContainer[Transition]
    unreachable: _containers.ScalarMap[str, str]
    def __init__(self, transitions: _Optional[_Iterable[_Union[Transition, _Mapping]]] = ..., unreachable: _Optional[_Mapping[str, str]] = ...) -> None: ...

class Transition(_message.Message):
    __slots__ = ("key", "start", "finish", "stimulus", "time", "worker", "source")
    KEY_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    FINISH_FIELD_NUMBER: _ClassVar[int]
    STIMULUS_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    WORKER_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    key: str
    start: str
    finish: str
    stimulus: str
    time: float
    worker: str
    source: str
    def __init__(self, key: _Optional[str] = ..., start: _Optional[str] = ..., finish: _Optional[str] = ..., stimulus: _Optional[str] = ..., time: _Optional[float] = ..., worker: _Optional[str] = ..., source: _Optional[str] = ...) -> None: ...

class DumpStateRequest(_message.Message):
    __slots__ = ("with_workers",)
    WITH_WORKERS_FIELD_NUMBER: _ClassVar[int]
    with_workers: bool
    def __init__(self, with_workers: _Optional[bool] = ...) -> None: ...

class DumpStateResponse(_message.Message):
    __slots__ = ("source", "data", "unreachable")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    UNREACHABLE_FIELD_NUMBER: _ClassVar[int]
    source: str
    data: bytes
    unreachable: str
    def __init__(self, source: _Optional[str] = ..., data: _Optional[bytes] = ..., unreachable: _Optional[str] = ...) -> None: ...
