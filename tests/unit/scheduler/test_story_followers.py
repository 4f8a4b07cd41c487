"""A follower of the story gets each transition, beside the watcher."""

from typing import Any

from dagrpc_scheduler.core.story import Story

ENTRY: Any = (1.0, "x", "released", "waiting", "", "s")


def test_a_follower_stays_while_watchers_come_and_go() -> None:
    story = Story(10)
    followed: list[Any] = []
    watched: list[Any] = []
    story.follow(followed.append)
    story.record(ENTRY)
    story.watch(watched.append)
    story.record(ENTRY)
    story.watch(None)
    story.record(ENTRY)
    assert (len(followed), len(watched), len(story.all())) == (3, 1, 3)
