from dagrpc.v1 import common_pb2 as _common_pb2
from dagrpc.v1 import plain_pb2 as _plain_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CoordinationRefusal(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    COORDINATION_REFUSAL_UNSPECIFIED: _ClassVar[CoordinationRefusal]
    COORDINATION_REFUSAL_INCONSISTENT: _ClassVar[CoordinationRefusal]
    COORDINATION_REFUSAL_UNKNOWN: _ClassVar[CoordinationRefusal]
    COORDINATION_REFUSAL_EXISTS: _ClassVar[CoordinationRefusal]
    COORDINATION_REFUSAL_INVALID: _ClassVar[CoordinationRefusal]
COORDINATION_REFUSAL_UNSPECIFIED: CoordinationRefusal
COORDINATION_REFUSAL_INCONSISTENT: CoordinationRefusal
COORDINATION_REFUSAL_UNKNOWN: CoordinationRefusal
COORDINATION_REFUSAL_EXISTS: CoordinationRefusal
COORDINATION_REFUSAL_INVALID: CoordinationRefusal

class Coordinate(_message.Message):
    __slots__ = ("request", "name", "timeout_seconds", "acquire_lease", "release_lease", "renew_leases", "register_semaphore", "count_leases", "close_semaphore", "acquire_locks", "release_locks", "set_event", "clear_event", "wait_event", "put_queue", "get_queue", "count_queue", "close_queue", "set_variable", "get_variable", "delete_variable", "withdraw", "took", "publish_datasets", "get_datasets", "unpublish_datasets", "list_datasets", "call_primitive")
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    ACQUIRE_LEASE_FIELD_NUMBER: _ClassVar[int]
    RELEASE_LEASE_FIELD_NUMBER: _ClassVar[int]
    RENEW_LEASES_FIELD_NUMBER: _ClassVar[int]
    REGISTER_SEMAPHORE_FIELD_NUMBER: _ClassVar[int]
    COUNT_LEASES_FIELD_NUMBER: _ClassVar[int]
    CLOSE_SEMAPHORE_FIELD_NUMBER: _ClassVar[int]
    ACQUIRE_LOCKS_FIELD_NUMBER: _ClassVar[int]
    RELEASE_LOCKS_FIELD_NUMBER: _ClassVar[int]
    SET_EVENT_FIELD_NUMBER: _ClassVar[int]
    CLEAR_EVENT_FIELD_NUMBER: _ClassVar[int]
    WAIT_EVENT_FIELD_NUMBER: _ClassVar[int]
    PUT_QUEUE_FIELD_NUMBER: _ClassVar[int]
    GET_QUEUE_FIELD_NUMBER: _ClassVar[int]
    COUNT_QUEUE_FIELD_NUMBER: _ClassVar[int]
    CLOSE_QUEUE_FIELD_NUMBER: _ClassVar[int]
    SET_VARIABLE_FIELD_NUMBER: _ClassVar[int]
    GET_VARIABLE_FIELD_NUMBER: _ClassVar[int]
    DELETE_VARIABLE_FIELD_NUMBER: _ClassVar[int]
    WITHDRAW_FIELD_NUMBER: _ClassVar[int]
    TOOK_FIELD_NUMBER: _ClassVar[int]
    PUBLISH_DATASETS_FIELD_NUMBER: _ClassVar[int]
    GET_DATASETS_FIELD_NUMBER: _ClassVar[int]
    UNPUBLISH_DATASETS_FIELD_NUMBER: _ClassVar[int]
    LIST_DATASETS_FIELD_NUMBER: _ClassVar[int]
    CALL_PRIMITIVE_FIELD_NUMBER: _ClassVar[int]
    request: int
    name: str
    timeout_seconds: float
    acquire_lease: AcquireLease
    release_lease: ReleaseLease
    renew_leases: RenewLeases
    register_semaphore: RegisterSemaphore
    count_leases: CountLeases
    close_semaphore: CloseSemaphore
    acquire_locks: AcquireLocks
    release_locks: ReleaseLocks
    set_event: SetEvent
    clear_event: ClearEvent
    wait_event: WaitEvent
    put_queue: PutQueue
    get_queue: GetQueue
    count_queue: CountQueue
    close_queue: CloseQueue
    set_variable: SetVariable
    get_variable: GetVariable
    delete_variable: DeleteVariable
    withdraw: WithdrawRequest
    took: TookValues
    publish_datasets: PublishDatasets
    get_datasets: GetDatasets
    unpublish_datasets: UnpublishDatasets
    list_datasets: ListDatasets
    call_primitive: CallPrimitive
    def __init__(self, request: _Optional[int] = ..., name: _Optional[str] = ..., timeout_seconds: _Optional[float] = ..., acquire_lease: _Optional[_Union[AcquireLease, _Mapping]] = ..., release_lease: _Optional[_Union[ReleaseLease, _Mapping]] = ..., renew_leases: _Optional[_Union[RenewLeases, _Mapping]] = ..., register_semaphore: _Optional[_Union[RegisterSemaphore, _Mapping]] = ..., count_leases: _Optional[_Union[CountLeases, _Mapping]] = ..., close_semaphore: _Optional[_Union[CloseSemaphore, _Mapping]] = ..., acquire_locks: _Optional[_Union[AcquireLocks, _Mapping]] = ..., release_locks: _Optional[_Union[ReleaseLocks, _Mapping]] = ..., set_event: _Optional[_Union[SetEvent, _Mapping]] = ..., clear_event: _Optional[_Union[ClearEvent, _Mapping]] = ..., wait_event: _Optional[_Union[WaitEvent, _Mapping]] = ..., put_queue: _Optional[_Union[PutQueue, _Mapping]] = ..., get_queue: _Optional[_Union[GetQueue, _Mapping]] = ..., count_queue: _Optional[_Union[CountQueue, _Mapping]] = ..., close_queue: _Optional[_Union[CloseQueue, _Mapping]] = ..., set_variable: _Optional[_Union[SetVariable, _Mapping]] = ..., get_variable: _Optional[_Union[GetVariable, _Mapping]] = ..., delete_variable: _Optional[_Union[DeleteVariable, _Mapping]] = ..., withdraw: _Optional[_Union[WithdrawRequest, _Mapping]] = ..., took: _Optional[_Union[TookValues, _Mapping]] = ..., publish_datasets: _Optional[_Union[PublishDatasets, _Mapping]] = ..., get_datasets: _Optional[_Union[GetDatasets, _Mapping]] = ..., unpublish_datasets: _Optional[_Union[UnpublishDatasets, _Mapping]] = ..., list_datasets: _Optional[_Union[ListDatasets, _Mapping]] = ..., call_primitive: _Optional[_Union[CallPrimitive, _Mapping]] = ...) -> None: ...

class Coordinated(_message.Message):
    __slots__ = ("request", "done", "number", "values", "lease_seconds", "refusal", "message", "names", "result")
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    LEASE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    NAMES_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    request: int
    done: bool
    number: int
    values: _containers.RepeatedCompositeFieldContainer[CoordinatedValue]
    lease_seconds: float
    refusal: CoordinationRefusal
    message: str
    names: _containers.RepeatedScalarFieldContainer[str]
    result: _plain_pb2.PlainValue
    def __init__(self, request: _Optional[int] = ..., done: _Optional[bool] = ..., number: _Optional[int] = ..., values: _Optional[_Iterable[_Union[CoordinatedValue, _Mapping]]] = ..., lease_seconds: _Optional[float] = ..., refusal: _Optional[_Union[CoordinationRefusal, str]] = ..., message: _Optional[str] = ..., names: _Optional[_Iterable[str]] = ..., result: _Optional[_Union[_plain_pb2.PlainValue, _Mapping]] = ...) -> None: ...

class CoordinatedValue(_message.Message):
    __slots__ = ("future", "data", "keys")
    FUTURE_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    future: str
    data: _common_pb2.Payload
    keys: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, future: _Optional[str] = ..., data: _Optional[_Union[_common_pb2.Payload, _Mapping]] = ..., keys: _Optional[_Iterable[str]] = ...) -> None: ...

class AcquireLease(_message.Message):
    __slots__ = ("max_leases", "transient", "registered")
    MAX_LEASES_FIELD_NUMBER: _ClassVar[int]
    TRANSIENT_FIELD_NUMBER: _ClassVar[int]
    REGISTERED_FIELD_NUMBER: _ClassVar[int]
    max_leases: int
    transient: bool
    registered: bool
    def __init__(self, max_leases: _Optional[int] = ..., transient: _Optional[bool] = ..., registered: _Optional[bool] = ...) -> None: ...

class ReleaseLease(_message.Message):
    __slots__ = ("lease",)
    LEASE_FIELD_NUMBER: _ClassVar[int]
    lease: int
    def __init__(self, lease: _Optional[int] = ...) -> None: ...

class RenewLeases(_message.Message):
    __slots__ = ("leases",)
    LEASES_FIELD_NUMBER: _ClassVar[int]
    leases: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, leases: _Optional[_Iterable[int]] = ...) -> None: ...

class RegisterSemaphore(_message.Message):
    __slots__ = ("max_leases",)
    MAX_LEASES_FIELD_NUMBER: _ClassVar[int]
    max_leases: int
    def __init__(self, max_leases: _Optional[int] = ...) -> None: ...

class CountLeases(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class CloseSemaphore(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class AcquireLocks(_message.Message):
    __slots__ = ("names", "count")
    NAMES_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    names: _containers.RepeatedScalarFieldContainer[str]
    count: int
    def __init__(self, names: _Optional[_Iterable[str]] = ..., count: _Optional[int] = ...) -> None: ...

class ReleaseLocks(_message.Message):
    __slots__ = ("lease",)
    LEASE_FIELD_NUMBER: _ClassVar[int]
    lease: int
    def __init__(self, lease: _Optional[int] = ...) -> None: ...

class SetEvent(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ClearEvent(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class WaitEvent(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class PutQueue(_message.Message):
    __slots__ = ("value", "max_size", "open", "front")
    VALUE_FIELD_NUMBER: _ClassVar[int]
    MAX_SIZE_FIELD_NUMBER: _ClassVar[int]
    OPEN_FIELD_NUMBER: _ClassVar[int]
    FRONT_FIELD_NUMBER: _ClassVar[int]
    value: CoordinatedValue
    max_size: int
    open: bool
    front: bool
    def __init__(self, value: _Optional[_Union[CoordinatedValue, _Mapping]] = ..., max_size: _Optional[int] = ..., open: _Optional[bool] = ..., front: _Optional[bool] = ...) -> None: ...

class GetQueue(_message.Message):
    __slots__ = ("count", "max_size", "open")
    COUNT_FIELD_NUMBER: _ClassVar[int]
    MAX_SIZE_FIELD_NUMBER: _ClassVar[int]
    OPEN_FIELD_NUMBER: _ClassVar[int]
    count: int
    max_size: int
    open: bool
    def __init__(self, count: _Optional[int] = ..., max_size: _Optional[int] = ..., open: _Optional[bool] = ...) -> None: ...

class CountQueue(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class CloseQueue(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class SetVariable(_message.Message):
    __slots__ = ("value",)
    VALUE_FIELD_NUMBER: _ClassVar[int]
    value: CoordinatedValue
    def __init__(self, value: _Optional[_Union[CoordinatedValue, _Mapping]] = ...) -> None: ...

class GetVariable(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DeleteVariable(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class WithdrawRequest(_message.Message):
    __slots__ = ("request",)
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    request: int
    def __init__(self, request: _Optional[int] = ...) -> None: ...

class TookValues(_message.Message):
    __slots__ = ("request",)
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    request: int
    def __init__(self, request: _Optional[int] = ...) -> None: ...

class PublishDatasets(_message.Message):
    __slots__ = ("entries", "override")
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    OVERRIDE_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[Dataset]
    override: bool
    def __init__(self, entries: _Optional[_Iterable[_Union[Dataset, _Mapping]]] = ..., override: _Optional[bool] = ...) -> None: ...

class Dataset(_message.Message):
    __slots__ = ("name", "value")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: CoordinatedValue
    def __init__(self, name: _Optional[str] = ..., value: _Optional[_Union[CoordinatedValue, _Mapping]] = ...) -> None: ...

class GetDatasets(_message.Message):
    __slots__ = ("names",)
    NAMES_FIELD_NUMBER: _ClassVar[int]
    names: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, names: _Optional[_Iterable[str]] = ...) -> None: ...

class UnpublishDatasets(_message.Message):
    __slots__ = ("names",)
    NAMES_FIELD_NUMBER: _ClassVar[int]
    names: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, names: _Optional[_Iterable[str]] = ...) -> None: ...

class ListDatasets(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class CallPrimitive(_message.Message):
    __slots__ = ("kind", "operation", "arguments", "values")
    class ArgumentsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _plain_pb2.PlainValue
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_plain_pb2.PlainValue, _Mapping]] = ...) -> None: ...
    KIND_FIELD_NUMBER: _ClassVar[int]
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    kind: str
    operation: str
    arguments: _containers.MessageMap[str, _plain_pb2.PlainValue]
    values: _containers.RepeatedCompositeFieldContainer[CoordinatedValue]
    def __init__(self, kind: _Optional[str] = ..., operation: _Optional[str] = ..., arguments: _Optional[_Mapping[str, _plain_pb2.PlainValue]] = ..., values: _Optional[_Iterable[_Union[CoordinatedValue, _Mapping]]] = ...) -> None: ...
