from dagrpc.v1 import common_pb2 as _common_pb2
from dagrpc.v1 import data_pb2 as _data_pb2
from dagrpc.v1 import failure_pb2 as _failure_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CallActorRequest(_message.Message):
    __slots__ = ("hello", "calls", "fetched", "fragment")
    HELLO_FIELD_NUMBER: _ClassVar[int]
    CALLS_FIELD_NUMBER: _ClassVar[int]
    FETCHED_FIELD_NUMBER: _ClassVar[int]
    FRAGMENT_FIELD_NUMBER: _ClassVar[int]
    hello: ActorHello
    calls: _containers.RepeatedCompositeFieldContainer[ActorCall]
    fetched: _containers.RepeatedScalarFieldContainer[str]
    fragment: _common_pb2.Fragment
    def __init__(self, hello: _Optional[_Union[ActorHello, _Mapping]] = ..., calls: _Optional[_Iterable[_Union[ActorCall, _Mapping]]] = ..., fetched: _Optional[_Iterable[str]] = ..., fragment: _Optional[_Union[_common_pb2.Fragment, _Mapping]] = ...) -> None: ...

class CallActorResponse(_message.Message):
    __slots__ = ("welcome", "replies", "fragment")
    WELCOME_FIELD_NUMBER: _ClassVar[int]
    REPLIES_FIELD_NUMBER: _ClassVar[int]
    FRAGMENT_FIELD_NUMBER: _ClassVar[int]
    welcome: ActorWelcome
    replies: _containers.RepeatedCompositeFieldContainer[ActorReply]
    fragment: _common_pb2.Fragment
    def __init__(self, welcome: _Optional[_Union[ActorWelcome, _Mapping]] = ..., replies: _Optional[_Iterable[_Union[ActorReply, _Mapping]]] = ..., fragment: _Optional[_Union[_common_pb2.Fragment, _Mapping]] = ...) -> None: ...

class ActorHello(_message.Message):
    __slots__ = ("caller", "encoding", "fetches_large_values")
    CALLER_FIELD_NUMBER: _ClassVar[int]
    ENCODING_FIELD_NUMBER: _ClassVar[int]
    FETCHES_LARGE_VALUES_FIELD_NUMBER: _ClassVar[int]
    caller: str
    encoding: str
    fetches_large_values: bool
    def __init__(self, caller: _Optional[str] = ..., encoding: _Optional[str] = ..., fetches_large_values: _Optional[bool] = ...) -> None: ...

class ActorWelcome(_message.Message):
    __slots__ = ("session_id", "inline_limit")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    INLINE_LIMIT_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    inline_limit: int
    def __init__(self, session_id: _Optional[str] = ..., inline_limit: _Optional[int] = ...) -> None: ...

class ActorCall(_message.Message):
    __slots__ = ("call_id", "key", "name", "read", "arguments", "arguments_key", "on_loop")
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    READ_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_KEY_FIELD_NUMBER: _ClassVar[int]
    ON_LOOP_FIELD_NUMBER: _ClassVar[int]
    call_id: int
    key: str
    name: str
    read: bool
    arguments: _common_pb2.Payload
    arguments_key: str
    on_loop: bool
    def __init__(self, call_id: _Optional[int] = ..., key: _Optional[str] = ..., name: _Optional[str] = ..., read: _Optional[bool] = ..., arguments: _Optional[_Union[_common_pb2.Payload, _Mapping]] = ..., arguments_key: _Optional[str] = ..., on_loop: _Optional[bool] = ...) -> None: ...

class ActorReply(_message.Message):
    __slots__ = ("call_id", "value", "value_key", "failure", "no_actor", "kept_key")
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    VALUE_KEY_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    NO_ACTOR_FIELD_NUMBER: _ClassVar[int]
    KEPT_KEY_FIELD_NUMBER: _ClassVar[int]
    call_id: int
    value: _common_pb2.Payload
    value_key: str
    failure: _failure_pb2.Failure
    no_actor: str
    kept_key: str
    def __init__(self, call_id: _Optional[int] = ..., value: _Optional[_Union[_common_pb2.Payload, _Mapping]] = ..., value_key: _Optional[str] = ..., failure: _Optional[_Union[_failure_pb2.Failure, _Mapping]] = ..., no_actor: _Optional[str] = ..., kept_key: _Optional[str] = ...) -> None: ...

class GetActorDataRequest(_message.Message):
    __slots__ = ("keys", "max_bytes", "requester", "host")
    KEYS_FIELD_NUMBER: _ClassVar[int]
    MAX_BYTES_FIELD_NUMBER: _ClassVar[int]
    REQUESTER_FIELD_NUMBER: _ClassVar[int]
    HOST_FIELD_NUMBER: _ClassVar[int]
    keys: _containers.RepeatedScalarFieldContainer[str]
    max_bytes: int
    requester: str
    host: str
    def __init__(self, keys: _Optional[_Iterable[str]] = ..., max_bytes: _Optional[int] = ..., requester: _Optional[str] = ..., host: _Optional[str] = ...) -> None: ...

class GetActorDataResponse(_message.Message):
    __slots__ = ("manifest", "chunk", "end")
    MANIFEST_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    manifest: _data_pb2.Manifest
    chunk: _data_pb2.DataChunk
    end: _data_pb2.TransferEnd
    def __init__(self, manifest: _Optional[_Union[_data_pb2.Manifest, _Mapping]] = ..., chunk: _Optional[_Union[_data_pb2.DataChunk, _Mapping]] = ..., end: _Optional[_Union[_data_pb2.TransferEnd, _Mapping]] = ...) -> None: ...

class PutActorDataRequest(_message.Message):
    __slots__ = ("manifest", "chunk", "end")
    MANIFEST_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    manifest: _data_pb2.Manifest
    chunk: _data_pb2.DataChunk
    end: _data_pb2.TransferEnd
    def __init__(self, manifest: _Optional[_Union[_data_pb2.Manifest, _Mapping]] = ..., chunk: _Optional[_Union[_data_pb2.DataChunk, _Mapping]] = ..., end: _Optional[_Union[_data_pb2.TransferEnd, _Mapping]] = ...) -> None: ...

class PutActorDataResponse(_message.Message):
    __slots__ = ("total_bytes",)
    TOTAL_BYTES_FIELD_NUMBER: _ClassVar[int]
    total_bytes: int
    def __init__(self, total_bytes: _Optional[int] = ...) -> None: ...

class RelayActorCallsRequest(_message.Message):
    __slots__ = ("worker", "message")
    WORKER_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    worker: str
    message: bytes
    def __init__(self, worker: _Optional[str] = ..., message: _Optional[bytes] = ...) -> None: ...

class RelayActorCallsResponse(_message.Message):
    __slots__ = ("message",)
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    message: bytes
    def __init__(self, message: _Optional[bytes] = ...) -> None: ...
