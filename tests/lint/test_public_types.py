"""Type checkers know the names that are imported when they are used."""

from __future__ import annotations

import ast
from pathlib import Path
from types import ModuleType

import pytest

import dagrpc
import dagrpc.active_memory_manager
import dagrpc.deploy
import dagrpc.diagnostics
import dagrpc.plugins

TABLES = [
    (dagrpc, "_EXPORTS"),
    (dagrpc.active_memory_manager, "_HOMES"),
    (dagrpc.deploy, "_HOMES"),
    (dagrpc.diagnostics, "_EXPORTS"),
    (dagrpc.plugins, "_EXPORTS"),
]


@pytest.mark.parametrize(("module", "table"), TABLES, ids=[module.__name__ for module, _ in TABLES])
def test_the_stub_has_all_names_from_where_they_are(module: ModuleType, table: str) -> None:
    stub = Path(str(module.__file__)).with_suffix(".pyi")
    tree = ast.parse(stub.read_text(encoding="utf-8"))
    # What a stub needs for itself it imports without giving it a name once more.
    imports = [(node.module, name) for node in tree.body if isinstance(node, ast.ImportFrom) for name in node.names]
    assert {name.asname: home for home, name in imports if name.asname == name.name} == vars(module)[table]


def test_the_stub_of_dagrpc_has_the_other_names() -> None:
    stub = Path(dagrpc.__file__).with_suffix(".pyi")
    body = ast.parse(stub.read_text(encoding="utf-8")).body
    declared = [node.target for node in body if isinstance(node, ast.AnnAssign)]
    assigned = [target for node in body if isinstance(node, ast.Assign) for target in node.targets]
    others = {target.id for target in [*declared, *assigned] if isinstance(target, ast.Name)}
    assert others == {*dagrpc.__all__, "__all__"} - vars(dagrpc)["_EXPORTS"].keys()
