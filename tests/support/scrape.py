"""Reads the metrics of a cluster's processes over HTTP."""

from __future__ import annotations

import urllib.request
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

WAIT = 60


class Scraped:
    """Metrics as they were at one moment."""

    def __init__(self, *links: str) -> None:
        self._samples = [
            sample
            for link in links
            for family in text_string_to_metric_families(_read(link))
            for sample in family.samples
        ]

    def sum(self, name: str, /, **labels: str) -> float:
        """Return the sum of all samples with these labels."""
        found = (each for each in self._samples if each.name == name and labels.items() <= each.labels.items())
        return sum(each.value for each in found)

    def labels(self, name: str, label: str) -> set[str]:
        """Return the values of a label in all samples of a metric."""
        return {each.labels[label] for each in self._samples if each.name == name}


def scheduler_metrics(client: Any) -> Scraped:
    """Return the metrics of a client's scheduler."""
    return Scraped(str(client.dashboard_link).replace("/status", "/metrics"))


def worker_metrics(client: Any) -> Scraped:
    """Return the metrics of all workers."""
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    return Scraped(*(f"http://{info['host']}:{info['services']['dashboard']}/metrics" for info in workers))


def _read(link: str) -> str:
    with urllib.request.urlopen(link, timeout=WAIT) as answer:
        return str(answer.read().decode())
