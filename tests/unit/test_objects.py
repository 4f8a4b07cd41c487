"""The objects that describe a cluster are dicts, and notebooks show them as tables."""

from __future__ import annotations

from dagrpc.objects import HasWhat, SchedulerInfo, WhoHas


def test_answers_are_dicts_and_tables() -> None:
    who_has = WhoHas({("x", 1): ["10.0.0.1:1", "10.0.0.2:2"]})
    assert who_has == {("x", 1): ["10.0.0.1:1", "10.0.0.2:2"]}
    assert "10.0.0.1:1, 10.0.0.2:2" in who_has._repr_html_()
    assert "<code>10.0.0.1:1</code>" in HasWhat({"10.0.0.1:1": ["x", "y"]})._repr_html_()


def test_nothing_is_taken_for_html() -> None:
    shown = WhoHas({"<script>alert(1)</script>": ["<b>"]})._repr_html_()
    assert "<script>" not in shown
    assert "<b>" not in shown


def test_long_texts_are_folded() -> None:
    assert "80 more" in WhoHas({f"key-{number}": ["10.0.0.1:1"] for number in range(100)})._repr_html_()
    assert HasWhat({"10.0.0.1:1": [f"key-{number}" for number in range(100)]})._repr_html_().count("<details>") == 1


def test_a_scheduler_without_workers_is_shown() -> None:
    info = SchedulerInfo({"id": "Scheduler-1", "address": "10.0.0.1:8786", "n_workers": 0, "workers": {}})
    assert "10.0.0.1:8786" in info._repr_html_()
    assert SchedulerInfo()._repr_html_()
