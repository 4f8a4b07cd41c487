from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class MemoryManagerAction(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MEMORY_MANAGER_ACTION_UNSPECIFIED: _ClassVar[MemoryManagerAction]
    MEMORY_MANAGER_ACTION_START: _ClassVar[MemoryManagerAction]
    MEMORY_MANAGER_ACTION_STOP: _ClassVar[MemoryManagerAction]
    MEMORY_MANAGER_ACTION_RUN_ONCE: _ClassVar[MemoryManagerAction]
MEMORY_MANAGER_ACTION_UNSPECIFIED: MemoryManagerAction
MEMORY_MANAGER_ACTION_START: MemoryManagerAction
MEMORY_MANAGER_ACTION_STOP: MemoryManagerAction
MEMORY_MANAGER_ACTION_RUN_ONCE: MemoryManagerAction

class ControlMemoryManagerRequest(_message.Message):
    __slots__ = ("action",)
    ACTION_FIELD_NUMBER: _ClassVar[int]
    action: MemoryManagerAction
    def __init__(self, action: _Optional[_Union[MemoryManagerAction, str]] = ...) -> None: ...

class ControlMemoryManagerResponse(_message.Message):
    __slots__ = ("running",)
    RUNNING_FIELD_NUMBER: _ClassVar[int]
    running: bool
    def __init__(self, running: _Optional[bool] = ...) -> None: ...

class ReplicateRequest(_message.Message):
    __slots__ = ("keys", "copies", "workers", "branching_factor")
    KEYS_FIELD_NUMBER: _ClassVar[int]
    COPIES_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    BRANCHING_FACTOR_FIELD_NUMBER: _ClassVar[int]
    keys: _containers.RepeatedScalarFieldContainer[str]
    copies: int
    workers: _containers.RepeatedScalarFieldContainer[str]
    branching_factor: int
    def __init__(self, keys: _Optional[_Iterable[str]] = ..., copies: _Optional[int] = ..., workers: _Optional[_Iterable[str]] = ..., branching_factor: _Optional[int] = ...) -> None: ...

class ReplicateResponse(_message.Message):
    __slots__ = ("missing",)
    MISSING_FIELD_NUMBER: _ClassVar[int]
    missing: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, missing: _Optional[_Iterable[str]] = ...) -> None: ...

class RebalanceRequest(_message.Message):
    __slots__ = ("keys", "workers")
    KEYS_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    keys: _containers.RepeatedScalarFieldContainer[str]
    workers: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, keys: _Optional[_Iterable[str]] = ..., workers: _Optional[_Iterable[str]] = ...) -> None: ...

class RebalanceResponse(_message.Message):
    __slots__ = ("failed",)
    FAILED_FIELD_NUMBER: _ClassVar[int]
    failed: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, failed: _Optional[_Iterable[str]] = ...) -> None: ...
