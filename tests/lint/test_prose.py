"""Comments, docstrings, messages and pages avoid phrases that make a reader stop; see tests/lint/prose.py."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.lint import prose

_FOUND = Counter(each.package for each in prose.findings())
_ALLOWED = prose.allowed()


@pytest.mark.parametrize("package", sorted({*_FOUND, *_ALLOWED, *map(prose.package_of, prose.python_files())}))
def test_a_package_has_no_more_findings_than_before(package: str) -> None:
    allowed = _ALLOWED.get(package, 0)
    hint = f"`python -m tests.lint.prose {package}` lists them; {allowed} were there before"
    assert _FOUND[package] <= allowed, hint


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('"""What a client has."""\n', ["What"]),
        ('"""Runs a client."""\n', []),
        ('def f():\n    """Have a client run."""\n', ["Have"]),
        ('class A:\n    x = 1\n    """Those of the client."""\n', ["Those"]),
        ('"""Whether tasks run is for the client to say."""\n', ["Whether tasks run is for"]),
        ("# It begins anew.\n", ["anew"]),
        ('raise ValueError("whoever sent it")\n', ["whoever"]),
        ('raise ValueError(f"{text!r} is no number")\n', ["is no number"]),
        ('raise ValueError("there is no number")\n', []),
        ("whoever = 1\n", []),
        ("def test_what_is_lost(): ...\n", ["test_what_"]),
        ("def test_who_has_knows_all_keys(): ...\n", []),
        ('x = {"key": "What is a key?"}\n', []),
    ],
)
def test_the_rules_find_what_they_are_for(source: str, expected: list[str]) -> None:
    assert [phrase for _, phrase in prose.in_python(source)] == expected


def test_pages_are_searched() -> None:
    assert [phrase for _, phrase in prose.in_text("The run begins anew.\n")] == ["anew"]
