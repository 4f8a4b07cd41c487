"""No file grows past the size at which it is no longer one idea."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE_ROOTS = ("client_sdk", "scheduler_service", "worker_service", "deploy", "examples", "benchmarks", "tests")
GENERATED = ROOT / "client_sdk" / "dagrpc" / "v1"
MAX_LINES = 500


def source_files() -> list[Path]:
    """Return every Python file of the project that somebody wrote."""
    return sorted(
        path
        for root in SOURCE_ROOTS
        for path in (ROOT / root).rglob("*.py")
        if GENERATED not in path.parents and "__pycache__" not in path.parts
    )


def test_the_sources_are_found() -> None:
    assert Path(__file__) in source_files()
    assert (ROOT / "client_sdk" / "dagrpc" / "__init__.py") in source_files()


@pytest.mark.parametrize("path", source_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_is_short_enough_to_be_one_idea(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").count("\n")
    assert lines <= MAX_LINES, f"{lines} lines; split it by idea"
