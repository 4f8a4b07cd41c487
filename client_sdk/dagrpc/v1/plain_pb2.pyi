from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PlainValue(_message.Message):
    __slots__ = ("boolean", "integer", "number", "text", "binary", "list", "mapping")
    BOOLEAN_FIELD_NUMBER: _ClassVar[int]
    INTEGER_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    BINARY_FIELD_NUMBER: _ClassVar[int]
    LIST_FIELD_NUMBER: _ClassVar[int]
    MAPPING_FIELD_NUMBER: _ClassVar[int]
    boolean: bool
    integer: int
    number: float
    text: str
    binary: bytes
    list: PlainList
    mapping: PlainMapping
    def __init__(self, boolean: _Optional[bool] = ..., integer: _Optional[int] = ..., number: _Optional[float] = ..., text: _Optional[str] = ..., binary: _Optional[bytes] = ..., list: _Optional[_Union[PlainList, _Mapping]] = ..., mapping: _Optional[_Union[PlainMapping, _Mapping]] = ...) -> None: ...

class PlainList(_message.Message):
    __slots__ = ("items", "is_tuple")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    IS_TUPLE_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[PlainValue]
    is_tuple: bool
    def __init__(self, items: _Optional[_Iterable[_Union[PlainValue, _Mapping]]] = ..., is_tuple: _Optional[bool] = ...) -> None: ...

class PlainMapping(_message.Message):
    __slots__ = ("entries",)
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[PlainEntry]
    def __init__(self, entries: _Optional[_Iterable[_Union[PlainEntry, _Mapping]]] = ...) -> None: ...

class PlainEntry(_message.Message):
    __slots__ = ("key", "value")
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    key: PlainValue
    value: PlainValue
    def __init__(self, key: _Optional[_Union[PlainValue, _Mapping]] = ..., value: _Optional[_Union[PlainValue, _Mapping]] = ...) -> None: ...
