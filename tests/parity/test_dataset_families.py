"""Section 13 of the API: datasets travel by the families of encodings that a client allows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture
def careful(lib: Any, cluster: Any) -> Iterator[Any]:
    """A client that takes no pickles."""
    with lib.Client(cluster, serializers=["msgpack"], deserializers=["msgpack"], set_as_default=False) as client:
        yield client


def test_no_pickles_are_published(careful: Any, client: Any) -> None:
    with pytest.raises(TypeError):
        careful.publish_dataset(lambda: 1, name="parity-code")
    assert "parity-code" not in client.list_datasets()
    careful.publish_dataset([1, {"a": "b"}], name="parity-plain")
    assert client.get_dataset("parity-plain") == [1, {"a": "b"}]
    client.unpublish_dataset("parity-plain")


def test_no_pickles_of_others_are_read(careful: Any, client: Any) -> None:
    client.publish_dataset(lambda: 1, name="parity-code-of-others")
    with pytest.raises(TypeError):
        careful.get_dataset("parity-code-of-others")
    assert client.get_dataset("parity-code-of-others")() == 1
    client.unpublish_dataset("parity-code-of-others")


def test_futures_take_a_state(lib: Any, client: Any) -> None:
    made = lib.Future("parity-with-a-state", client, state=None)
    assert made.status == "pending"
