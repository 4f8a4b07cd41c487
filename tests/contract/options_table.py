"""Writes docs/options.md from the options that services declare: ``python -m tests.contract.options_table``."""

from __future__ import annotations

from dataclasses import MISSING, Field, fields
from pathlib import Path

from dagrpc._process.service_options import declared_options
from dagrpc_scheduler.options import SchedulerOptions
from dagrpc_worker.options import WorkerOptions

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "options.md"

_HEAD = """\
# Options of services

Made from `dagrpc_scheduler/options.py` and `dagrpc_worker/options.py` by `python -m tests.contract.options_table`; a
test checks that it is fresh.

An option has the same name wherever it is given: as an argument of `Scheduler`, `Worker` and `Nanny`, in
`scheduler_kwargs=` and the further arguments of `LocalCluster`, and in the `options` of a `SpecCluster`. Some options
have a flag of `dagrpc scheduler` or `dagrpc worker`, and some a [setting](configuration.md) whose value is the default.
Durations are seconds or texts such as `"500 ms"`. `dagrpc scheduler --help` and `dagrpc worker --help` list all flags.
"""


def default_of(each: Field[object]) -> str:
    """Return the default of an option as the page shows it."""
    if each.default is not MISSING:
        return f"`{each.default!r}`"
    return "the setting" if each.metadata["option"].setting else "see right"


def table(options: type) -> list[str]:
    """Return the rows for the options of a service that users set."""
    rows = ["| option | type | default | flag | setting | |", "|---|---|---|---|---|---|"]
    declared = declared_options(options)
    for each in fields(options):
        about = declared[each.name]
        if about.internal:
            continue
        flag = f"`{about.flag.name}`" if about.flag else ""
        setting = f"`{about.setting}`" if about.setting else ""
        kind = str(each.type).replace("|", "\\|")
        rows.append(f"| `{each.name}` | `{kind}` | {default_of(each)} | {flag} | {setting} | {about.doc} |")
    return rows


def page() -> str:
    """Return the page."""
    lines = [_HEAD, "## Scheduler", "", *table(SchedulerOptions), "", "## Worker", "", *table(WorkerOptions)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
