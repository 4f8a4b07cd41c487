from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetTargetSizeRequest(_message.Message):
    __slots__ = ("target_duration_seconds",)
    TARGET_DURATION_SECONDS_FIELD_NUMBER: _ClassVar[int]
    target_duration_seconds: float
    def __init__(self, target_duration_seconds: _Optional[float] = ...) -> None: ...

class GetTargetSizeResponse(_message.Message):
    __slots__ = ("workers",)
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    workers: int
    def __init__(self, workers: _Optional[int] = ...) -> None: ...

class ChooseWorkersToCloseRequest(_message.Message):
    __slots__ = ("count", "minimum", "memory_ratio", "groups")
    class GroupsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    COUNT_FIELD_NUMBER: _ClassVar[int]
    MINIMUM_FIELD_NUMBER: _ClassVar[int]
    MEMORY_RATIO_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    count: int
    minimum: int
    memory_ratio: float
    groups: _containers.ScalarMap[str, str]
    def __init__(self, count: _Optional[int] = ..., minimum: _Optional[int] = ..., memory_ratio: _Optional[float] = ..., groups: _Optional[_Mapping[str, str]] = ...) -> None: ...

class ChooseWorkersToCloseResponse(_message.Message):
    __slots__ = ("workers",)
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    workers: _containers.RepeatedCompositeFieldContainer[ClosableWorker]
    def __init__(self, workers: _Optional[_Iterable[_Union[ClosableWorker, _Mapping]]] = ...) -> None: ...

class ClosableWorker(_message.Message):
    __slots__ = ("address", "name")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    address: str
    name: str
    def __init__(self, address: _Optional[str] = ..., name: _Optional[str] = ...) -> None: ...
