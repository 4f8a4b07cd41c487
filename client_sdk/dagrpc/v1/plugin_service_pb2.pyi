from dagrpc.v1 import common_pb2 as _common_pb2
from dagrpc.v1 import scheduler_service_pb2 as _scheduler_service_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PluginKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PLUGIN_KIND_UNSPECIFIED: _ClassVar[PluginKind]
    PLUGIN_KIND_WORKER: _ClassVar[PluginKind]
    PLUGIN_KIND_NANNY: _ClassVar[PluginKind]
    PLUGIN_KIND_SCHEDULER: _ClassVar[PluginKind]
PLUGIN_KIND_UNSPECIFIED: PluginKind
PLUGIN_KIND_WORKER: PluginKind
PLUGIN_KIND_NANNY: PluginKind
PLUGIN_KIND_SCHEDULER: PluginKind

class RegisterPluginRequest(_message.Message):
    __slots__ = ("kind", "name", "plugin", "idempotent")
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    PLUGIN_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENT_FIELD_NUMBER: _ClassVar[int]
    kind: PluginKind
    name: str
    plugin: _common_pb2.Payload
    idempotent: bool
    def __init__(self, kind: _Optional[_Union[PluginKind, str]] = ..., name: _Optional[str] = ..., plugin: _Optional[_Union[_common_pb2.Payload, _Mapping]] = ..., idempotent: _Optional[bool] = ...) -> None: ...

class RegisterPluginResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[_scheduler_service_pb2.RunResult]
    def __init__(self, results: _Optional[_Iterable[_Union[_scheduler_service_pb2.RunResult, _Mapping]]] = ...) -> None: ...

class UnregisterPluginRequest(_message.Message):
    __slots__ = ("kind", "name")
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    kind: PluginKind
    name: str
    def __init__(self, kind: _Optional[_Union[PluginKind, str]] = ..., name: _Optional[str] = ...) -> None: ...

class UnregisterPluginResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[_scheduler_service_pb2.RunResult]
    def __init__(self, results: _Optional[_Iterable[_Union[_scheduler_service_pb2.RunResult, _Mapping]]] = ...) -> None: ...

class SyncPluginsRequest(_message.Message):
    __slots__ = ("kind", "known")
    class KnownEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    KIND_FIELD_NUMBER: _ClassVar[int]
    KNOWN_FIELD_NUMBER: _ClassVar[int]
    kind: PluginKind
    known: _containers.ScalarMap[str, int]
    def __init__(self, kind: _Optional[_Union[PluginKind, str]] = ..., known: _Optional[_Mapping[str, int]] = ...) -> None: ...

class SyncPluginsResponse(_message.Message):
    __slots__ = ("names", "revision", "nanny_plugins", "plugin")
    NAMES_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    NANNY_PLUGINS_FIELD_NUMBER: _ClassVar[int]
    PLUGIN_FIELD_NUMBER: _ClassVar[int]
    names: _containers.RepeatedScalarFieldContainer[str]
    revision: int
    nanny_plugins: bool
    plugin: NamedPlugin
    def __init__(self, names: _Optional[_Iterable[str]] = ..., revision: _Optional[int] = ..., nanny_plugins: _Optional[bool] = ..., plugin: _Optional[_Union[NamedPlugin, _Mapping]] = ...) -> None: ...

class NamedPlugin(_message.Message):
    __slots__ = ("name", "revision", "plugin")
    NAME_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    PLUGIN_FIELD_NUMBER: _ClassVar[int]
    name: str
    revision: int
    plugin: _common_pb2.Payload
    def __init__(self, name: _Optional[str] = ..., revision: _Optional[int] = ..., plugin: _Optional[_Union[_common_pb2.Payload, _Mapping]] = ...) -> None: ...

class SetUpPluginRequest(_message.Message):
    __slots__ = ("plugin",)
    PLUGIN_FIELD_NUMBER: _ClassVar[int]
    plugin: NamedPlugin
    def __init__(self, plugin: _Optional[_Union[NamedPlugin, _Mapping]] = ...) -> None: ...

class SetUpPluginResponse(_message.Message):
    __slots__ = ("result",)
    RESULT_FIELD_NUMBER: _ClassVar[int]
    result: _scheduler_service_pb2.RunResult
    def __init__(self, result: _Optional[_Union[_scheduler_service_pb2.RunResult, _Mapping]] = ...) -> None: ...

class TearDownPluginRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class TearDownPluginResponse(_message.Message):
    __slots__ = ("result",)
    RESULT_FIELD_NUMBER: _ClassVar[int]
    result: _scheduler_service_pb2.RunResult
    def __init__(self, result: _Optional[_Union[_scheduler_service_pb2.RunResult, _Mapping]] = ...) -> None: ...

class AdoptPluginsRequest(_message.Message):
    __slots__ = ("scheduler",)
    SCHEDULER_FIELD_NUMBER: _ClassVar[int]
    scheduler: str
    def __init__(self, scheduler: _Optional[str] = ...) -> None: ...

class AdoptPluginsResponse(_message.Message):
    __slots__ = ("restarting",)
    RESTARTING_FIELD_NUMBER: _ClassVar[int]
    restarting: bool
    def __init__(self, restarting: _Optional[bool] = ...) -> None: ...
