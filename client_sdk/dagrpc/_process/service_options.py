"""Declares the options of services: each once, in the class of the service's options.

The declaration of an option has everything about it: its documentation, the setting with its default, its flag on the
command line, and how its value is converted. The command line (`dagrpc._cli.option_flags`), the settings of child
processes (`process_fields`), `LocalCluster` and docs/options.md are made from it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, Literal

from dagrpc import config

_KEY = "option"


@dataclass(frozen=True, slots=True)
class Flag:
    """The flag of an option on the command line."""

    name: str
    """The flag, such as ``--host``; a switch names both of its forms, ``--allow-code/--no-allow-code``."""
    help: str = ""
    """Empty: the documentation of the option, and its default."""
    default: Any = None
    """The value without the flag. A text is shown in the help."""
    multiple: bool = False
    switch: bool = False
    """The flag takes no value: it sets the option to True."""
    path: Literal["", "file", "directory"] = ""
    exists: bool = False
    """The path must exist."""
    bounds: tuple[int, int | None] | None = None
    """The least and the greatest number."""
    parse: Callable[[str], Any] | None = None
    """Converts the text; raises ValueError with a message for users."""


@dataclass(frozen=True, slots=True)
class Option:
    """Everything about an option but its name, its type and its default."""

    doc: str
    setting: str = ""
    """The configuration key whose value is the default."""
    flag: Flag | None = None
    convert: Callable[[Any], Any] | None = None
    """Converts a value that a user gives."""
    pickled: bool = False
    """The value travels to a process of its own as a pickle, not as plain data."""
    internal: bool = False
    """The service's starter sets it; users do not."""


def option(
    doc: str,
    default: Any = MISSING,
    *,
    factory: Callable[[], Any] | None = None,
    otherwise: Any = None,
    setting: str = "",
    flag: Flag | None = None,
    convert: Callable[[Any], Any] | None = None,
    pickled: bool = False,
    internal: bool = False,
    secret: bool = False,
) -> Any:
    """Declare a field of a dataclass of options.

    Without `default` and `factory` the default is the value of `setting`, or `otherwise` where that is None. The repr
    leaves out the value of a secret option.
    """
    declared = Option(doc, setting, flag, convert, pickled, internal)
    metadata, shown = {_KEY: declared}, not secret
    if default is not MISSING:
        return field(default=default, metadata=metadata, repr=shown)
    return field(default_factory=factory or _configured(declared, otherwise), metadata=metadata, repr=shown)


def _configured(declared: Option, otherwise: Any) -> Callable[[], Any]:
    def read() -> Any:
        value = config.get(declared.setting)
        if value is None:
            return otherwise
        return declared.convert(value) if declared.convert else value

    return read


def declared_options(options: type) -> dict[str, Option]:
    """Return the options that a class declares, by name."""
    return {each.name: each.metadata[_KEY] for each in fields(options)}


def free_options(options: type) -> dict[str, Option]:
    """Return the options that users set, by name."""
    return {name: each for name, each in declared_options(options).items() if not each.internal}


def converted(options: type, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that a user gives, converted, without those that are None."""
    declared = declared_options(options)
    found = {}
    for name, value in given.items():
        if value is not None:
            convert = declared[name].convert
            found[name] = convert(value) if convert else value
    return found


def process_fields(
    options: type, given: Mapping[str, Any], owner: str, ignored: Collection[str], hint: str = ""
) -> dict[str, Any]:
    """Return the values for a process of its own: plain data, and under ``pickled`` a pickle of all other values.

    Raises
    ------
    TypeError
        For an argument that is neither an option of the service nor ignored.

    Examples
    --------
    >>> from dagrpc_worker.options import WorkerOptions
    >>> process_fields(WorkerOptions, {"death_timeout": "2 s", "name": None}, "Nanny", ())
    {'death_timeout': 2.0}
    """
    declared = free_options(options)
    named = {name: value for name, value in given.items() if value is not None}
    unknown = [name for name in named if name not in declared and name not in ignored]
    if unknown:
        raise TypeError(f"{owner} got unknown arguments: {', '.join(unknown)}{hint}")
    found = converted(options, {name: value for name, value in named.items() if name in declared})
    pickled = {name: found.pop(name) for name in list(found) if declared[name].pickled}
    if pickled:
        import cloudpickle

        found["pickled"] = cloudpickle.dumps(pickled)
    return found


def unpickled(values: dict[str, Any]) -> dict[str, Any]:
    """Return what `process_fields` returned with the pickle taken apart; in the worker's process."""
    pickled = values.get("pickled")
    if pickled is None:
        return values
    import cloudpickle

    rest = {name: value for name, value in values.items() if name != "pickled"}
    return {**rest, **cloudpickle.loads(pickled)}


def as_list(value: Any) -> Any:
    """Return a text as a list of one, and everything else as it is."""
    return [value] if isinstance(value, str) else value


def seconds(value: Any) -> float:
    """Return a duration in seconds.

    Raises
    ------
    ValueError
        If the value is not a duration.
    """
    try:
        found = config.seconds(value)
    except (ValueError, KeyError):
        raise ValueError(f"{value!r} is not a duration") from None
    if found is None:
        raise ValueError("None is not a duration")
    return found


def words(text: str) -> frozenset[str]:
    """Return the words of a text."""
    return frozenset(text.split())
