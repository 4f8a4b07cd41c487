"""No module imports itself through other modules; imports for type checkers count.

The modules of a circle cannot be read, tested or moved one by one. `ALLOWED` lists the packages that still contain
circles; it only gets shorter.
"""

import ast
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DISTRIBUTIONS = ("client_sdk", "scheduler_service", "worker_service", "deploy")
GENERATED = "dagrpc.v1."

ALLOWED: tuple[str, ...] = ()
"""Packages with modules, at any depth, that may still be part of a circle. Replace an entry by smaller ones."""


def module_name(path: Path) -> str:
    """Return the dotted name of the module in a file."""
    parts = path.relative_to(ROOT).with_suffix("").parts[1:]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def source_modules() -> dict[str, str]:
    """Return the source text of every module that somebody wrote."""
    files = [path for distribution in DISTRIBUTIONS for path in (ROOT / distribution).rglob("*.py")]
    modules = {module_name(path): path.read_text(encoding="utf-8") for path in files}
    return {name: text for name, text in modules.items() if not name.startswith(GENERATED)}


def imported_by(source: str, modules: Iterable[str]) -> set[str]:
    """Return the modules that are imported at the top level of `source`, also under ``if TYPE_CHECKING:``."""
    known = set(modules)
    found: set[str] = set()
    pending: list[ast.stmt] = list(ast.parse(source).body)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If | ast.Try):
            pending += ast.iter_child_nodes(node)  # type: ignore[arg-type]
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            submodules = names & known
            found |= submodules
            if len(submodules) < len(names):
                found.add(node.module)
    return found & known


def circles(imports: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """Return the groups of modules that import each other, directly or not (Tarjan's algorithm)."""
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    on_stack: set[str] = set()
    found: list[list[str]] = []

    def visit(name: str) -> None:
        order[name] = lowest[name] = len(order)
        stack.append(name)
        on_stack.add(name)
        for other in sorted(imports[name]):
            if other not in order:
                visit(other)
                lowest[name] = min(lowest[name], lowest[other])
            elif other in on_stack:
                lowest[name] = min(lowest[name], order[other])
        if lowest[name] == order[name]:
            group: list[str] = []
            while not group or group[-1] != name:
                group.append(stack.pop())
                on_stack.discard(group[-1])
            if len(group) > 1 or name in imports[name]:
                found.append(sorted(group))

    for name in sorted(imports):
        if name not in order:
            visit(name)
    return sorted(found)


def modules_in_circles() -> list[str]:
    """Return the modules of this project that are part of a circle."""
    modules = source_modules()
    imports = {name: imported_by(text, modules) for name, text in modules.items()}
    return [module for circle in circles(imports) for module in circle]


def test_only_allowed_packages_have_circles() -> None:
    allowed = tuple(f"{package}." for package in ALLOWED)
    found = [module for module in modules_in_circles() if not module.startswith(allowed)]
    assert found == [], "these modules import each other; move what they share into a module below both"


def test_allowed_packages_have_circles() -> None:
    members = modules_in_circles()
    clean = [package for package in ALLOWED if not any(module.startswith(f"{package}.") for module in members)]
    assert clean == [], "remove these packages from ALLOWED"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("from a import b", {"a.b"}),
        ("from a import name", {"a"}),
        ("import a.b", {"a.b"}),
        ("if TYPE_CHECKING:\n    from a.b import name", {"a.b"}),
        ("try:\n    import a\nexcept ImportError:\n    pass", {"a"}),
        ("def f():\n    import a", set()),
    ],
)
def test_imports_are_found(source: str, expected: set[str]) -> None:
    assert imported_by(source, ["a", "a.b"]) == expected


def test_circles_are_found() -> None:
    imports = {"a": ["b"], "b": ["c"], "c": ["b"], "d": ["d"], "e": []}
    assert circles(imports) == [["b", "c"], ["d"]]
