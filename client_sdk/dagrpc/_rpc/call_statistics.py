"""Counts of the calls that a gRPC server has answered, and how long the answers took."""

from __future__ import annotations

from collections import Counter

from grpc import StatusCode

from dagrpc._common.histogram import Histogram

BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Upper bounds of the classes of durations, in seconds. Longer calls are in one more class."""
_NAMES = {code.value[0]: code.name for code in StatusCode}


class CallStatistics:
    """Counts calls by method and outcome.

    Examples
    --------
    >>> statistics = CallStatistics()
    >>> statistics.ended("InquiryService.GetTasks", 0, 0.002)
    >>> statistics.by_outcome
    Counter({('InquiryService.GetTasks', 'OK'): 1})
    """

    def __init__(self) -> None:
        self._outcomes: Counter[tuple[str, int]] = Counter()
        self.durations: dict[str, Histogram] = {}
        """Durations by method; streams are not among them, since they last as long as the peer."""

    def ended(self, method: str, code: int, seconds: float | None) -> None:
        """Count a call with the number of its status; `seconds` is None for a stream."""
        self._outcomes[method, code] += 1
        if seconds is not None:
            durations = self.durations.get(method)
            if durations is None:
                durations = self.durations[method] = Histogram(BOUNDS)
            durations.add(seconds)

    @property
    def by_outcome(self) -> Counter[tuple[str, str]]:
        """Number of ended calls by method and name of the status."""
        return Counter(
            {(method, _NAMES.get(code, "UNKNOWN")): count for (method, code), count in self._outcomes.items()}
        )


def status_number(code: object) -> int:
    """Return the number of a status, which gRPC gives as a number, a `grpc.StatusCode` or not at all."""
    if isinstance(code, StatusCode):
        return int(code.value[0])
    return code if isinstance(code, int) else int(StatusCode.UNKNOWN.value[0])
