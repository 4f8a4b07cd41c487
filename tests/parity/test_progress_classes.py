"""Progress bars that subclass those in `diagnostics.progressbar`, as published programs do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.parity.functions import fail, inc, nap


def recording(base: Any, **options: Any) -> Any:
    """A bar that keeps what it is to draw."""

    class Recording(base):  # type: ignore[misc]
        def __init__(self, keys: Any) -> None:
            self.drawn: list[dict[str, Any]] = []
            self.stopped: list[dict[str, Any]] = []
            super().__init__(keys, **options)

        def _draw_bar(self, **kwargs: Any) -> None:
            self.drawn.append(kwargs)

        def _draw_stop(self, **kwargs: Any) -> None:
            self.stopped.append(kwargs)

    return Recording


def test_a_text_bar_is_subclassed(client: Any, submodule: Callable[[str], Any]) -> None:
    bars = submodule("diagnostics.progressbar")
    futures = client.map(nap, [0.01 * number for number in range(20)], pure=False)
    bar = recording(bars.TextProgressBar)(futures)
    assert bar.status == "finished"
    assert [stop["remaining"] for stop in bar.stopped] == [0]
    assert bar.drawn[-1]["all"] == 20
    counts = [drawn["remaining"] for drawn in bar.drawn]
    assert counts == sorted(counts, reverse=True)
    assert bar.elapsed > 0


def test_a_bar_ends_when_a_task_fails(client: Any, submodule: Callable[[str], Any]) -> None:
    bars = submodule("diagnostics.progressbar")
    bar = recording(bars.TextProgressBar)([client.submit(fail, "in a bar", pure=False)])
    assert bar.status == "error"
    assert [stop["status"] for stop in bar.stopped] == ["error"]


def test_a_bar_is_started_by_its_subclass(client: Any, submodule: Callable[[str], Any]) -> None:
    """Many programs contain a tqdm progress bar that starts in this way."""
    bars = submodule("diagnostics.progressbar")
    runner = submodule("utils").LoopRunner()
    futures = client.map(inc, range(5))
    bar = recording(bars.ProgressBar, interval="20ms", complete=True)(futures)
    assert bar.drawn == []
    runner.run_sync(bar.listen)
    assert bar.drawn[-1]["all"] - bar.drawn[-1]["remaining"] == 5
    assert len(bar.stopped) == 1


def test_a_text_bar_draws(client: Any, submodule: Callable[[str], Any], capsys: pytest.CaptureFixture[str]) -> None:
    futures = client.map(inc, range(5))
    submodule("diagnostics.progressbar").TextProgressBar(futures, width=10)
    assert "[##########] | 100% Completed" in capsys.readouterr().out
