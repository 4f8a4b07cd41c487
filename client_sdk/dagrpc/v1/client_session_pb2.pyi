from dagrpc.v1 import common_pb2 as _common_pb2
from dagrpc.v1 import coordination_pb2 as _coordination_pb2
from dagrpc.v1 import errors_pb2 as _errors_pb2
from dagrpc.v1 import event_service_pb2 as _event_service_pb2
from dagrpc.v1 import failure_pb2 as _failure_pb2
from dagrpc.v1 import graph_pb2 as _graph_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class UpdateGraphRequest(_message.Message):
    __slots__ = ("hello", "commands", "fragment", "number", "received")
    HELLO_FIELD_NUMBER: _ClassVar[int]
    COMMANDS_FIELD_NUMBER: _ClassVar[int]
    FRAGMENT_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_FIELD_NUMBER: _ClassVar[int]
    hello: ClientHello
    commands: _containers.RepeatedCompositeFieldContainer[ClientCommand]
    fragment: _common_pb2.Fragment
    number: int
    received: int
    def __init__(self, hello: _Optional[_Union[ClientHello, _Mapping]] = ..., commands: _Optional[_Iterable[_Union[ClientCommand, _Mapping]]] = ..., fragment: _Optional[_Union[_common_pb2.Fragment, _Mapping]] = ..., number: _Optional[int] = ..., received: _Optional[int] = ...) -> None: ...

class UpdateGraphResponse(_message.Message):
    __slots__ = ("welcome", "events", "fragment", "number", "received")
    WELCOME_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    FRAGMENT_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_FIELD_NUMBER: _ClassVar[int]
    welcome: ClientWelcome
    events: _containers.RepeatedCompositeFieldContainer[ClientEvent]
    fragment: _common_pb2.Fragment
    number: int
    received: int
    def __init__(self, welcome: _Optional[_Union[ClientWelcome, _Mapping]] = ..., events: _Optional[_Iterable[_Union[ClientEvent, _Mapping]]] = ..., fragment: _Optional[_Union[_common_pb2.Fragment, _Mapping]] = ..., number: _Optional[int] = ..., received: _Optional[int] = ...) -> None: ...

class ClientHello(_message.Message):
    __slots__ = ("client_id", "versions", "inline_limit", "encodings", "reports_refusals", "topics", "session_token", "resume")
    CLIENT_ID_FIELD_NUMBER: _ClassVar[int]
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    INLINE_LIMIT_FIELD_NUMBER: _ClassVar[int]
    ENCODINGS_FIELD_NUMBER: _ClassVar[int]
    REPORTS_REFUSALS_FIELD_NUMBER: _ClassVar[int]
    TOPICS_FIELD_NUMBER: _ClassVar[int]
    SESSION_TOKEN_FIELD_NUMBER: _ClassVar[int]
    RESUME_FIELD_NUMBER: _ClassVar[int]
    client_id: str
    versions: _common_pb2.Versions
    inline_limit: int
    encodings: _containers.RepeatedScalarFieldContainer[str]
    reports_refusals: bool
    topics: _containers.RepeatedScalarFieldContainer[str]
    session_token: bytes
    resume: _common_pb2.Resumption
    def __init__(self, client_id: _Optional[str] = ..., versions: _Optional[_Union[_common_pb2.Versions, _Mapping]] = ..., inline_limit: _Optional[int] = ..., encodings: _Optional[_Iterable[str]] = ..., reports_refusals: _Optional[bool] = ..., topics: _Optional[_Iterable[str]] = ..., session_token: _Optional[bytes] = ..., resume: _Optional[_Union[_common_pb2.Resumption, _Mapping]] = ...) -> None: ...

class ClientWelcome(_message.Message):
    __slots__ = ("scheduler_id", "versions", "code_allowed", "worker_versions", "resumed", "grace_seconds")
    SCHEDULER_ID_FIELD_NUMBER: _ClassVar[int]
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    CODE_ALLOWED_FIELD_NUMBER: _ClassVar[int]
    WORKER_VERSIONS_FIELD_NUMBER: _ClassVar[int]
    RESUMED_FIELD_NUMBER: _ClassVar[int]
    GRACE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    scheduler_id: str
    versions: _common_pb2.Versions
    code_allowed: bool
    worker_versions: _containers.RepeatedCompositeFieldContainer[_common_pb2.Versions]
    resumed: _common_pb2.Resumption
    grace_seconds: float
    def __init__(self, scheduler_id: _Optional[str] = ..., versions: _Optional[_Union[_common_pb2.Versions, _Mapping]] = ..., code_allowed: _Optional[bool] = ..., worker_versions: _Optional[_Iterable[_Union[_common_pb2.Versions, _Mapping]]] = ..., resumed: _Optional[_Union[_common_pb2.Resumption, _Mapping]] = ..., grace_seconds: _Optional[float] = ...) -> None: ...

class ClientCommand(_message.Message):
    __slots__ = ("graph", "want", "release", "cancel", "retry", "hold_shared", "release_shared", "ping", "coordinate", "log_event", "subscribe", "unsubscribe", "goodbye")
    GRAPH_FIELD_NUMBER: _ClassVar[int]
    WANT_FIELD_NUMBER: _ClassVar[int]
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    CANCEL_FIELD_NUMBER: _ClassVar[int]
    RETRY_FIELD_NUMBER: _ClassVar[int]
    HOLD_SHARED_FIELD_NUMBER: _ClassVar[int]
    RELEASE_SHARED_FIELD_NUMBER: _ClassVar[int]
    PING_FIELD_NUMBER: _ClassVar[int]
    COORDINATE_FIELD_NUMBER: _ClassVar[int]
    LOG_EVENT_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIBE_FIELD_NUMBER: _ClassVar[int]
    UNSUBSCRIBE_FIELD_NUMBER: _ClassVar[int]
    GOODBYE_FIELD_NUMBER: _ClassVar[int]
    graph: _graph_pb2.GraphPart
    want: WantKeys
    release: ReleaseKeys
    cancel: CancelKeys
    retry: RetryKeys
    hold_shared: HoldShared
    release_shared: ReleaseShared
    ping: Ping
    coordinate: _coordination_pb2.Coordinate
    log_event: _event_service_pb2.LogEvent
    subscribe: _event_service_pb2.SubscribeTopics
    unsubscribe: _event_service_pb2.UnsubscribeTopics
    goodbye: ClientGoodbye
    def __init__(self, graph: _Optional[_Union[_graph_pb2.GraphPart, _Mapping]] = ..., want: _Optional[_Union[WantKeys, _Mapping]] = ..., release: _Optional[_Union[ReleaseKeys, _Mapping]] = ..., cancel: _Optional[_Union[CancelKeys, _Mapping]] = ..., retry: _Optional[_Union[RetryKeys, _Mapping]] = ..., hold_shared: _Optional[_Union[HoldShared, _Mapping]] = ..., release_shared: _Optional[_Union[ReleaseShared, _Mapping]] = ..., ping: _Optional[_Union[Ping, _Mapping]] = ..., coordinate: _Optional[_Union[_coordination_pb2.Coordinate, _Mapping]] = ..., log_event: _Optional[_Union[_event_service_pb2.LogEvent, _Mapping]] = ..., subscribe: _Optional[_Union[_event_service_pb2.SubscribeTopics, _Mapping]] = ..., unsubscribe: _Optional[_Union[_event_service_pb2.UnsubscribeTopics, _Mapping]] = ..., goodbye: _Optional[_Union[ClientGoodbye, _Mapping]] = ...) -> None: ...

class WantKeys(_message.Message):
    __slots__ = ("keys", "until_done")
    KEYS_FIELD_NUMBER: _ClassVar[int]
    UNTIL_DONE_FIELD_NUMBER: _ClassVar[int]
    keys: _containers.RepeatedScalarFieldContainer[str]
    until_done: bool
    def __init__(self, keys: _Optional[_Iterable[str]] = ..., until_done: _Optional[bool] = ...) -> None: ...

class ReleaseKeys(_message.Message):
    __slots__ = ("keys",)
    KEYS_FIELD_NUMBER: _ClassVar[int]
    keys: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, keys: _Optional[_Iterable[str]] = ...) -> None: ...

class CancelKeys(_message.Message):
    __slots__ = ("keys", "force", "reason", "message", "interrupt")
    KEYS_FIELD_NUMBER: _ClassVar[int]
    FORCE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    INTERRUPT_FIELD_NUMBER: _ClassVar[int]
    keys: _containers.RepeatedScalarFieldContainer[str]
    force: bool
    reason: str
    message: str
    interrupt: bool
    def __init__(self, keys: _Optional[_Iterable[str]] = ..., force: _Optional[bool] = ..., reason: _Optional[str] = ..., message: _Optional[str] = ..., interrupt: _Optional[bool] = ...) -> None: ...

class RetryKeys(_message.Message):
    __slots__ = ("keys",)
    KEYS_FIELD_NUMBER: _ClassVar[int]
    keys: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, keys: _Optional[_Iterable[str]] = ...) -> None: ...

class HoldShared(_message.Message):
    __slots__ = ("shared",)
    SHARED_FIELD_NUMBER: _ClassVar[int]
    shared: _containers.RepeatedCompositeFieldContainer[_common_pb2.SharedPayload]
    def __init__(self, shared: _Optional[_Iterable[_Union[_common_pb2.SharedPayload, _Mapping]]] = ...) -> None: ...

class ReleaseShared(_message.Message):
    __slots__ = ("digests",)
    DIGESTS_FIELD_NUMBER: _ClassVar[int]
    digests: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, digests: _Optional[_Iterable[bytes]] = ...) -> None: ...

class ClientGoodbye(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Ping(_message.Message):
    __slots__ = ("token",)
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    token: int
    def __init__(self, token: _Optional[int] = ...) -> None: ...

class Pong(_message.Message):
    __slots__ = ("token",)
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    token: int
    def __init__(self, token: _Optional[int] = ...) -> None: ...

class ClientEvent(_message.Message):
    __slots__ = ("finished", "erred", "lost", "cancelled", "retried", "rejected", "pong", "coordinated", "topic_event", "goodbye", "refused")
    FINISHED_FIELD_NUMBER: _ClassVar[int]
    ERRED_FIELD_NUMBER: _ClassVar[int]
    LOST_FIELD_NUMBER: _ClassVar[int]
    CANCELLED_FIELD_NUMBER: _ClassVar[int]
    RETRIED_FIELD_NUMBER: _ClassVar[int]
    REJECTED_FIELD_NUMBER: _ClassVar[int]
    PONG_FIELD_NUMBER: _ClassVar[int]
    COORDINATED_FIELD_NUMBER: _ClassVar[int]
    TOPIC_EVENT_FIELD_NUMBER: _ClassVar[int]
    GOODBYE_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    finished: KeyFinished
    erred: KeyErred
    lost: KeyLost
    cancelled: KeyCancelled
    retried: KeyRetried
    rejected: GraphRejected
    pong: Pong
    coordinated: _coordination_pb2.Coordinated
    topic_event: _event_service_pb2.TopicEvent
    goodbye: SchedulerGoodbye
    refused: CommandRefused
    def __init__(self, finished: _Optional[_Union[KeyFinished, _Mapping]] = ..., erred: _Optional[_Union[KeyErred, _Mapping]] = ..., lost: _Optional[_Union[KeyLost, _Mapping]] = ..., cancelled: _Optional[_Union[KeyCancelled, _Mapping]] = ..., retried: _Optional[_Union[KeyRetried, _Mapping]] = ..., rejected: _Optional[_Union[GraphRejected, _Mapping]] = ..., pong: _Optional[_Union[Pong, _Mapping]] = ..., coordinated: _Optional[_Union[_coordination_pb2.Coordinated, _Mapping]] = ..., topic_event: _Optional[_Union[_event_service_pb2.TopicEvent, _Mapping]] = ..., goodbye: _Optional[_Union[SchedulerGoodbye, _Mapping]] = ..., refused: _Optional[_Union[CommandRefused, _Mapping]] = ...) -> None: ...

class KeyFinished(_message.Message):
    __slots__ = ("key", "type_name", "nbytes", "payload")
    KEY_FIELD_NUMBER: _ClassVar[int]
    TYPE_NAME_FIELD_NUMBER: _ClassVar[int]
    NBYTES_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    key: str
    type_name: str
    nbytes: int
    payload: _common_pb2.Payload
    def __init__(self, key: _Optional[str] = ..., type_name: _Optional[str] = ..., nbytes: _Optional[int] = ..., payload: _Optional[_Union[_common_pb2.Payload, _Mapping]] = ...) -> None: ...

class KeyErred(_message.Message):
    __slots__ = ("key", "failure")
    KEY_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    key: str
    failure: _failure_pb2.Failure
    def __init__(self, key: _Optional[str] = ..., failure: _Optional[_Union[_failure_pb2.Failure, _Mapping]] = ...) -> None: ...

class KeyLost(_message.Message):
    __slots__ = ("key",)
    KEY_FIELD_NUMBER: _ClassVar[int]
    key: str
    def __init__(self, key: _Optional[str] = ...) -> None: ...

class KeyCancelled(_message.Message):
    __slots__ = ("key", "reason", "message")
    KEY_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    key: str
    reason: str
    message: str
    def __init__(self, key: _Optional[str] = ..., reason: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class KeyRetried(_message.Message):
    __slots__ = ("key",)
    KEY_FIELD_NUMBER: _ClassVar[int]
    key: str
    def __init__(self, key: _Optional[str] = ...) -> None: ...

class GraphRejected(_message.Message):
    __slots__ = ("graph_id", "keys", "message", "reason")
    GRAPH_ID_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    graph_id: str
    keys: _containers.RepeatedScalarFieldContainer[str]
    message: str
    reason: str
    def __init__(self, graph_id: _Optional[str] = ..., keys: _Optional[_Iterable[str]] = ..., message: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class CommandRefused(_message.Message):
    __slots__ = ("command", "graph_id", "keys", "reason", "message")
    COMMAND_FIELD_NUMBER: _ClassVar[int]
    GRAPH_ID_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    command: str
    graph_id: str
    keys: _containers.RepeatedScalarFieldContainer[str]
    reason: _errors_pb2.Reason
    message: str
    def __init__(self, command: _Optional[str] = ..., graph_id: _Optional[str] = ..., keys: _Optional[_Iterable[str]] = ..., reason: _Optional[_Union[_errors_pb2.Reason, str]] = ..., message: _Optional[str] = ...) -> None: ...

class SchedulerGoodbye(_message.Message):
    __slots__ = ("reason", "may_return")
    REASON_FIELD_NUMBER: _ClassVar[int]
    MAY_RETURN_FIELD_NUMBER: _ClassVar[int]
    reason: str
    may_return: bool
    def __init__(self, reason: _Optional[str] = ..., may_return: _Optional[bool] = ...) -> None: ...
