"""Writes docs/api.md from the code: ``python -m tests.contract.api_table``.

What users of distributed know and dagrpc does not have yet is listed too, so that the page cannot promise too much.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import dagrpc
from tests.contract import signatures

PAGE = Path(__file__).parents[2] / "docs" / "api.md"


def words(text: str) -> list[str]:
    """Return the words of a text."""
    return text.split()


# The public names of distributed 2026.8, without those that only concern its own wire format.
TOP_LEVEL = words("""
Actor ActorFuture Adaptive BaseActorFuture CancelledError Client CondaInstall Environ Event Future InstallPlugin
KilledWorker LocalCluster Lock MultiLock Nanny NannyPlugin PipInstall Queue Reschedule SSHCluster Scheduler
SchedulerPlugin Security Semaphore SpecCluster Status SubprocessCluster TimeoutError UploadDirectory UploadFile
Variable Worker WorkerPlugin as_completed default_client fire_and_forget futures_of get_client get_task_metadata
get_task_stream get_worker local_client performance_report print progress rejoin secede span sync wait warn
worker_client
""")
CLIENT = words("""
amm as_current asynchronous benchmark_hardware call_stack cancel close compute current dashboard_link datasets
dump_cluster_state forward_logging futures_of gather get get_dataset get_events get_executor get_metadata
get_scheduler_logs get_task_stream get_versions get_worker_logs has_what list_datasets log_event loop map nbytes
ncores normalize_collection nthreads persist processing profile publish_dataset rebalance recreate_error_locally
recreate_task_locally register_plugin register_worker_callbacks replicate restart restart_workers retire_workers retry
run run_on_scheduler scatter scheduler scheduler_info set_metadata shutdown start status story submit subscribe_topic
sync unforward_logging unpublish_dataset unregister_scheduler_plugin unregister_worker_plugin unsubscribe_topic
upload_file wait_for_workers who_has write_scheduler_file
""")
FUTURE = words("""
add_done_callback bind_client cancel cancelled client done exception executor release result retry status
traceback type
""")
AS_COMPLETED = words("add batches clear count has_ready is_empty next_batch update")
LOCAL_CLUSTER = words("""
adapt asynchronous close dashboard_link get_client get_logs observed plan requested scale
sync wait_for_workers
""")

MEMBERS = {"Client": CLIENT, "Future": FUTURE, "as_completed": AS_COMPLETED, "LocalCluster": LOCAL_CLUSTER}
"""The members that the page lists, by class."""


def first_sentence(thing: Any) -> str:
    """Return the first line of a docstring."""
    text = inspect.getdoc(thing) or ""
    return text.split("\n", 1)[0].replace("|", "\\|")


def members(owner: Any, names: list[str]) -> tuple[list[tuple[str, str]], list[str]]:
    """Return the names that the owner has, with their first sentences, and the names that the owner lacks."""
    there = [(name, first_sentence(inspect.getattr_static(owner, name))) for name in names if hasattr(owner, name)]
    return there, [name for name in names if not hasattr(owner, name)]


def section(title: str, owner: Any, names: list[str]) -> list[str]:
    """Return the lines of one section."""
    there, missing = members(owner, names)
    lines = [f"## {title}", "", "| name | |", "|---|---|", *(f"| `{name}` | {text} |" for name, text in there), ""]
    if missing:
        lines += ["Not there yet: " + ", ".join(f"`{name}`" for name in missing) + ".", ""]
    return lines


def comparison() -> list[str]:
    """Return the lines that say what differs from distributed."""
    lines = [
        "## Beside distributed",
        "",
        f"Of the {len(signatures.items())} names and signatures in `tests/contract/distributed_api.pyi`, these are not",
        "there yet: " + (", ".join(f"`{name}`" for name in signatures.missing()) or "none") + ".",
        "",
        "These are there, with other parameters: " + ("" if signatures.differences() else "none."),
        "",
        *(f"- `{name}`: {'; '.join(wrong)}" for name, wrong in signatures.differences().items()),
        "",
    ]
    return lines


def page() -> str:
    """Return the page."""
    names = sorted({*TOP_LEVEL, *dagrpc.__all__} - {"__version__"}, key=str.lower)
    lines = [
        "# API",
        "",
        "Made from the code by `python -m tests.contract.api_table`; a test checks that it is fresh. The names are",
        "those of distributed 2026.8 and dagrpc's own. `help()` on each has parameters, errors and an example, which",
        "the tests run. There `client` is a client of `cluster`, of two workers of two threads, and `inc` adds 1.",
        "",
        *section("`dagrpc`", dagrpc, names),
        *(line for name, found in MEMBERS.items() for line in section(f"`{name}`", getattr(dagrpc, name), found)),
        *comparison(),
    ]
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
