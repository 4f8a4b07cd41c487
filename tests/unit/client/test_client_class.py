"""`Client` is one class: its verbs are functions of modules by subject, which look like methods."""

from __future__ import annotations

import importlib
import inspect
import pickle
import pkgutil
import pydoc
from collections.abc import Callable
from typing import Any

import pytest

from dagrpc import Client
from dagrpc._client import verbs

MODULES = [
    importlib.import_module(f"{verbs.__name__}.{module.name}") for module in pkgutil.iter_modules(verbs.__path__)
]
VERBS: list[tuple[str, Callable[..., Any]]] = [
    (name, function)
    for module in MODULES
    for name, function in vars(module).items()
    if inspect.isfunction(function) and not name.startswith("_")
    if inspect.unwrap(function).__code__.co_filename == module.__file__
    if next(iter(inspect.signature(function).parameters), "") in ("self", "cls")
]


def test_the_client_has_no_base() -> None:
    assert Client.__bases__ == (object,)


def test_the_verbs_are_found() -> None:
    assert len(VERBS) > 60


@pytest.mark.parametrize(("name", "function"), VERBS, ids=[name for name, _ in VERBS])
def test_a_verb_is_bound_under_its_name(name: str, function: Callable[..., Any]) -> None:
    bound = inspect.getattr_static(Client, name)
    assert getattr(bound, "__func__", bound) is function
    assert function.__qualname__ == f"Client.{name}"


def test_the_type_of_self_is_not_in_the_documentation() -> None:
    text = pydoc.plain(pydoc.render_doc(Client.submit))
    assert "submit(self, func: " in text
    assert "HasCore" not in text


def test_a_verb_can_be_pickled() -> None:
    assert pickle.loads(pickle.dumps(Client.who_has)) is Client.who_has
