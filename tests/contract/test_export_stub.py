"""Type checkers know the names that dagrpc has."""

from tests.contract.export_stub import STUB, stub


def test_the_stub_is_fresh() -> None:
    assert STUB.read_text(encoding="utf-8") == stub(), "run python -m tests.contract.export_stub"
