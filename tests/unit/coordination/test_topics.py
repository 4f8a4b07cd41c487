"""Topics: which events are kept, which clients are told, and when topics are dropped."""

from dagrpc_scheduler.coordination.topic_log import Topics


def test_the_latest_events_of_a_topic_are_remembered() -> None:
    topics = Topics(3, None)
    for number in range(5):
        topics.log("a", float(number), number)
    topics.log("b", 9.0, "other")
    assert topics.history("a") == [(2.0, 2), (3.0, 3), (4.0, 4)]
    assert topics.history("unknown") == []
    assert topics.names() == ["a", "b"]


def test_events_that_are_not_kept_are_passed_on() -> None:
    topics = Topics(3, None)
    topics.subscribe("alice", ["a"])
    assert list(topics.log("a", 0.0, "message", keep=False)) == ["alice"]
    assert topics.names() == []


def test_subscribers_are_told_until_they_leave() -> None:
    topics = Topics(10, None)
    topics.subscribe("alice", ["a", "b"])
    topics.subscribe("bob", ["a"])
    topics.subscribe("bob", ["a"])
    assert list(topics.log("a", 0.0, 1)) == ["alice", "bob"]
    topics.unsubscribe("bob", ["a", "never"])
    assert list(topics.log("a", 0.0, 1)) == ["alice"]
    topics.client_gone("alice")
    topics.client_gone("nobody")
    assert list(topics.log("a", 0.0, 1)) == []
    assert list(topics.log("b", 0.0, 1)) == []
    assert not topics._subscribers
    assert not topics._subscriptions


def test_topics_of_no_more_use_are_forgotten_after_a_while() -> None:
    topics = Topics(10, 60.0)
    for name in ("early", "late", "back"):
        topics.log(name, 0.0, name)
    topics.end("early", 0.0)
    topics.end("back", 5.0)
    topics.end("late", 30.0)
    topics.advance(59.0)
    assert topics.names() == ["early", "late", "back"]
    # A worker that reconnected with the same address.
    topics.begin("back")
    topics.advance(70.0)
    assert topics.names() == ["late", "back"]
    topics.advance(1_000.0)
    assert topics.names() == ["back"]


def test_without_a_delay_nothing_is_forgotten() -> None:
    topics = Topics(10, None)
    topics.log("a", 0.0, 1)
    topics.end("a", 0.0)
    topics.advance(1e9)
    assert topics.names() == ["a"]
