"""Writes docs/options.md from the options that services declare: ``python -m tests.contract.options_table``."""

from __future__ import annotations

from dataclasses import MISSING, Field, fields
from pathlib import Path

from dagrpc._process.service_options import free_options
from dagrpc_deploy.options import SpecOptions, SSHOptions
from dagrpc_scheduler.options import SchedulerOptions
from dagrpc_worker.options import NannyOptions, WorkerOptions

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "options.md"

_HEAD = """\
# Options of services

`python -m tests.contract.options_table` makes this page from `dagrpc_scheduler/options.py`, `dagrpc_worker/options.py`
and `dagrpc_deploy/options.py`; a test checks that it is fresh.

An option has the same name wherever it is given: as an argument of `Scheduler`, `Worker` and `Nanny`, in
`scheduler_kwargs=` and the further arguments of `LocalCluster`, and in the `options` of a `SpecCluster`. Some options
have a flag of `dagrpc scheduler` or `dagrpc worker`, and some a [setting](configuration.md) whose value is the default.
Durations are seconds or texts such as `"500 ms"`. `dagrpc scheduler --help` and `dagrpc worker --help` list all flags.
"""

SECTIONS = {
    "Scheduler": (SchedulerOptions, ""),
    "Worker": (WorkerOptions, ""),
    "Nanny": (NannyOptions, "A `Nanny` also takes the options of its worker."),
    "`dagrpc spec`": (SpecOptions, "The command runs the servers of a [specification](clusters.md)."),
    "`dagrpc ssh`": (SSHOptions, "The command runs an `SSHCluster` on the hosts that it is given."),
}
"""Title of each section, the options, and a sentence about them."""


def default_of(each: Field[object]) -> str:
    """Return the default of an option as the page shows it."""
    if each.default is not MISSING:
        return f"`{each.default!r}`"
    return "the setting" if each.metadata["option"].setting else "see right"


def table(options: type) -> list[str]:
    """Return the rows for the options of a service that users set."""
    rows = ["| option | type | default | flag | setting | |", "|---|---|---|---|---|---|"]
    declared = free_options(options)
    for each in fields(options):
        if each.name not in declared:
            continue
        about = declared[each.name]
        flag = f"`{about.flag.name}`" if about.flag else ""
        setting = f"`{about.setting}`" if about.setting else ""
        kind = str(each.type).replace("|", "\\|")
        rows.append(f"| `{each.name}` | `{kind}` | {default_of(each)} | {flag} | {setting} | {about.doc} |")
    return rows


def page() -> str:
    """Return the page."""
    lines = [_HEAD]
    for title, (options, sentence) in SECTIONS.items():
        lines += [f"## {title}", "", *([sentence, ""] if sentence else []), *table(options), ""]
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
