"""Sections 10 and 4 of the API: clients show the output of tasks."""

from __future__ import annotations

import sys
from typing import Any

import pytest


@pytest.fixture
def forwarding(own_client: Any, submodule: Any) -> Any:
    """A client to which its workers' output is forwarded."""
    own_client.register_plugin(submodule("diagnostics.plugin").ForwardOutput())
    return own_client


def in_pieces() -> None:
    sys.stdout.write("one ")
    sys.stdout.write("line\n")


def no_newline_at_the_end() -> None:
    print("first\nsecond", end="")


def test_output_is_there_before_the_result(forwarding: Any) -> None:
    for task, text in (
        (in_pieces, "one line\n"),
        (no_newline_at_the_end, "first\nsecond"),
    ):
        seen = Recorder(sys.stdout)
        sys.stdout = seen
        try:
            forwarding.submit(task, pure=False).result(timeout=60)
        finally:
            sys.stdout = seen.stream
        assert seen.text == text


class Recorder:
    """A stream that remembers what this process writes to it. What workers write to theirs does not come here."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.text = ""

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None:
        pass
