"""docs/api.md lists the names that dagrpc has, and the names that are missing."""

from __future__ import annotations

import pytest

import dagrpc
from tests.contract.api_table import AS_COMPLETED, CLIENT, FUTURE, LOCAL_CLUSTER, PAGE, first_sentence, members, page


def test_the_page_is_fresh() -> None:
    assert PAGE.read_text() == page(), "run python -m tests.contract.api_table"


def test_every_name_can_be_imported() -> None:
    for name in dagrpc.__all__:
        assert getattr(dagrpc, name) is not None
    assert dagrpc.__all__ == sorted(dagrpc.__all__)


@pytest.mark.parametrize(
    ("owner", "names"),
    [("Client", CLIENT), ("Future", FUTURE), ("as_completed", AS_COMPLETED), ("LocalCluster", LOCAL_CLUSTER)],
)
def test_every_member_is_documented(owner: str, names: list[str]) -> None:
    there, _ = members(getattr(dagrpc, owner), names)
    assert [name for name, text in there if not text] == []
    assert first_sentence(getattr(dagrpc, owner))
