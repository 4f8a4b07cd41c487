"""Finds phrases that the project's prose avoids.

``python -m tests.lint.prose [PACKAGE ...]`` lists the findings in some packages, or in all of them;
``python -m tests.lint.prose --update`` writes the counts of today to prose_counts.txt.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
COUNTS = Path(__file__).with_name("prose_counts.txt")
RULES = ("prose.py", "test_prose.py")
"""Files that quote the phrases."""
PYTHON_ROOTS = ("client_sdk", "scheduler_service", "worker_service", "deploy", "examples", "benchmarks", "tests")
GENERATED = ROOT / "client_sdk" / "dagrpc" / "v1"

OPENINGS = re.compile(
    r"(What|Have|Whoever|Who|Those|Of|Do the same|Do so|Does so|That|It|Whether [^.\n]* is for|With what|By what"
    r"|To what|For what|By how)\b(?! to )"
)
"""Words that a docstring does not open with: a pronoun without its noun, or a clause in place of a sentence."""

PHRASES = re.compile(
    r"\b(anew|for want of|whoever|whomever|had better|of late|by himself|in its stead|in their stead|our likes|"
    r"those of (?:it|them|these|those)|what is (?:to be|there|left) (?:of|is)|is of no use|lest|goes without|"
    r"(?:see|sees|seen) to it that|be it|as it were|so to speak|thereof|therein|thereby|whence|hither|thither|"
    r"(?<!there )is no (?:address|duration|function|host|method|number|plugin|port|Security|text))\b",
    re.IGNORECASE,
)
"""Phrases that stand nowhere in comments, docstrings, messages and pages."""


TEST_NAMES = re.compile(r"test_(it|they|that|these|what|whatever|who(?!_has)|whoever|whose|those)_")
"""Openings of the names of tests that leave out the subject."""


class Finding(NamedTuple):
    """One phrase at one place."""

    package: str
    path: Path
    line: int
    phrase: str


def package_of(path: Path) -> str:
    """Return the name under which a file's findings are counted, such as ``dagrpc._client`` or ``tests``."""
    parts = path.relative_to(ROOT).parts
    if parts[0] not in PYTHON_ROOTS[:4]:
        return parts[0]
    return ".".join(parts[1:3] if len(parts) > 3 else parts[1:2])


def python_files() -> list[Path]:
    """Return the Python files that people write, but for those that define the rules."""
    return sorted(
        path
        for root in PYTHON_ROOTS
        for path in (ROOT / root).rglob("*.py")
        if GENERATED not in path.parents
        and "__pycache__" not in path.parts
        and path.name not in ("prose.py", "test_prose.py")
    )


def text_files() -> list[Path]:
    """Return the pages and the contract."""
    return sorted([*(ROOT / "docs").glob("*.md"), *(ROOT / "protos").rglob("*.proto")])


def in_python(source: str) -> Iterator[tuple[int, str]]:
    """Yield line and phrase of each finding in a Python file."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        yield from _docstring_openings(node)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (match := TEST_NAMES.match(node.name)):
            yield node.lineno, match[0]
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from ((node.lineno, found[0]) for found in PHRASES.finditer(node.value))
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield from ((token.start[0], found[0]) for found in PHRASES.finditer(token.string))


def _docstring_openings(node: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield a banned opening of the docstrings of a node: its own, and those below the assignments in its body."""
    if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return
    before: ast.stmt | None = None
    for statement in node.body:
        documents = before is None or isinstance(before, ast.Assign | ast.AnnAssign)
        before = statement
        if documents and isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            match = OPENINGS.match(str(statement.value.value))
            if match:
                yield statement.lineno, match[0]


def in_text(source: str) -> Iterator[tuple[int, str]]:
    """Yield line and phrase of each finding in a page or a proto file."""
    for number, line in enumerate(source.splitlines(), 1):
        yield from ((number, found[0]) for found in PHRASES.finditer(line))


def findings(paths: Iterable[Path] | None = None) -> list[Finding]:
    """Return all findings, by path and line."""
    found = []
    for path in paths if paths is not None else [*python_files(), *text_files()]:
        search = in_python if path.suffix == ".py" else in_text
        hits = sorted(search(path.read_text(encoding="utf-8")))
        found += [Finding(package_of(path), path, line, phrase) for line, phrase in hits]
    return found


def allowed() -> dict[str, int]:
    """Return how many findings each package may still have; packages that are not listed have none."""
    lines = [line.split() for line in COUNTS.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return {package: int(count) for package, count in lines}


def update() -> None:
    """Write the counts of today."""
    counts = Counter(each.package for each in findings())
    header = (
        "# Findings of tests/lint/prose.py that are left. `python -m tests.lint.prose --update` lowers the counts.\n"
    )
    COUNTS.write_text(header + "".join(f"{name} {count}\n" for name, count in sorted(counts.items())), encoding="utf-8")


def main(arguments: list[str]) -> None:
    """List the findings, or write the counts."""
    if arguments == ["--update"]:
        update()
        return
    for each in findings():
        if not arguments or each.package in arguments:
            print(f"{each.path.relative_to(ROOT)}:{each.line}: {each.phrase}")


if __name__ == "__main__":
    main(sys.argv[1:])
