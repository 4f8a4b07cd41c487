"""Trees of samples: counting, adding up, as messages; history in bounded memory."""

from __future__ import annotations

import sys
from types import FrameType

import pytest

from dagrpc._profiling.history import OTHERS, ProfileHistory
from dagrpc._profiling.sampler import stack_of
from dagrpc._profiling.trees import DEEPEST, add_stack, from_message, merge, new_profile, to_message
from dagrpc.v1 import diagnostics_service_pb2 as pb


def here() -> list[FrameType]:
    return stack_of(sys._getframe())[-2:]


def one() -> list[FrameType]:
    return here()


def two() -> list[FrameType]:
    return here()


def deep(levels: int) -> list[FrameType]:
    return deep(levels - 1) if levels else stack_of(sys._getframe())


def counts(profile):
    return {child["description"]["name"]: child["count"] for child in profile["children"].values()}


def sample(*stacks):
    profile = new_profile()
    for stack in stacks:
        add_stack(profile, stack)
    return profile


def test_a_sample_counts_in_each_function_of_its_stack():
    profile = sample(one(), one(), two())
    assert profile["count"] == 3
    assert counts(profile) == {"one": 2, "two": 1}
    (child,) = [each for each in profile["children"].values() if each["description"]["name"] == "one"]
    assert child["identifier"].startswith(f"one;{__file__};")
    assert child["description"]["line"] == "return here()"
    assert counts(child) == {"here": 2}


def test_profiles_are_added_up_and_left_as_they_are():
    first, second = sample(one()), sample(one(), two())
    total = merge([first, second])
    assert (total["count"], counts(total)) == (3, {"one": 2, "two": 1})
    assert (first["count"], counts(first)) == (1, {"one": 1})
    assert merge([]) == new_profile()


def test_a_message_holds_a_profile_of_any_depth():
    profile = sample(deep(300), one(), two())
    message = pb.Profile.FromString(to_message(profile).SerializeToString())
    assert from_message(message) == profile
    assert from_message(to_message(new_profile())) == new_profile()


def test_an_endless_recursion_counts_up_to_a_depth():
    profile = sample(deep(DEEPEST + 100))
    assert len(to_message(profile).nodes) <= DEEPEST + 1


@pytest.mark.parametrize("node", [pb.ProfileNode(parent=7, line=1), pb.ProfileNode(parent=0, line=9)])
def test_a_message_that_contradicts_itself_is_refused(node):
    message = to_message(sample(one()))
    message.nodes.append(node)
    with pytest.raises(ValueError, match="does not have"):
        from_message(message)


def test_a_history_tells_prefixes_and_times_apart():
    history = ProfileHistory(1.0)
    for second in range(10):
        history.add("inc" if second < 6 else "dec", one(), 100.0 + second)
    assert history.get()["count"] == 10
    assert history.get("inc")["count"] == 6
    assert history.get("other")["count"] == 0
    assert history.get(start=108.0)["count"] == 2
    assert history.get(stop=101.5)["count"] == 2
    assert history.get("inc", 104.0, 107.0)["count"] == 2


def test_a_history_stays_small_and_forgets_nothing():
    history = ProfileHistory(1.0, spans=20, prefixes=5)
    for second in range(500):
        history.add(f"task-{second}", one(), float(second))
    assert len(history) <= 20
    assert history.get()["count"] == 500
    assert history.get(OTHERS)["count"] > 0
    # The latest are told apart still.
    assert history.get(start=499.0)["count"] == 1
    assert history.get("task-499")["count"] == 1
