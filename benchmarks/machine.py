"""Describes the machine without identifying it."""

import os
import platform
from pathlib import Path

import psutil


def processor() -> str:
    """Return the processor's name, or the architecture if the name is unknown."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def describe() -> dict[str, str]:
    """Return the properties of the machine that influence the figures."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "Processor": f"{processor()}, {cores} cores usable",
        "Memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "System": f"{platform.system()} {platform.release()} {platform.machine()}",
        # Other load on the machine makes the figures less reliable.
        "Load before": f"{os.getloadavg()[0]:.1f} processes",
    }
