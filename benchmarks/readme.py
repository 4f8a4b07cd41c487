"""Writes the table of figures in README.md from docs/benchmarks.md: ``python -m benchmarks.readme``."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGE = ROOT / "docs" / "benchmarks.md"

WORKLOADS = {
    "`submit(inc, i).result()`, median": "one small task and its result",
    "`map(inc, range(10_000))` and `gather`": "10,000 small tasks, `map` and `gather`",
    "worker to worker, array of 64 MiB": "an array of 64 MiB, from worker to worker on one host",
    "`df.merge` of those with 800,000, by tasks": "`merge` of dataframes with 1,600,000 and 800,000 rows",
    "scheduler memory, 10,000 results held": "memory of the scheduler for 10,000 results",
}
"""Rows of the page that the README shows, and their names in the README."""

TITLES = ("distributed", "distributed, queuing off", "dagrpc")
"""The columns of the page's first table that the README shows."""
TITLES_WITH_RAY = ("distributed", "distributed, queuing off", "Ray", "dagrpc")
"""The columns of the section about Ray, which the README shows if there is one."""

TABLE = re.compile(r"(?<=<!-- figures -->\n).*?(?=<!-- end of figures -->)", re.DOTALL)
SECTION = re.compile(r"\n## Beside Ray\n.*?<!-- end of beside ray -->\n", re.DOTALL)


def section_of(page: str) -> str:
    """Return the section that `benchmarks.ray_comparison` wrote, or an empty text."""
    found = SECTION.search(page)
    return found[0] if found else ""


def figures(page: str) -> dict[str, list[str]]:
    """Return unit and figures by workload: from the section about Ray, or from the first table."""
    section = section_of(page)
    rows: dict[str, list[str]] = {}
    for line in (section or page).splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if section and cells[0] in WORKLOADS:
            rows[cells[0]] = cells[1:]
        elif not section and len(cells) > 5 and cells[0] in ("✓", "✗"):
            rows.setdefault(cells[1], cells[2:6])
    return rows


def table(page: str) -> str:
    """Return the table of the README."""
    titles = TITLES_WITH_RAY if section_of(page) else TITLES
    lines = ["| | " + " | ".join(titles) + " |", "|---" * (1 + len(titles)) + "|"]
    found = figures(page)
    for workload, title in WORKLOADS.items():
        unit, *values = found[workload]
        lines.append(f"| {title} | " + " | ".join(f"{value} {unit}" for value in values) + " |")
    return "\n".join(lines) + "\n"


def with_section(page: str, text: str) -> str:
    """Return the page with this text as its section about Ray."""
    section = f"\n## Beside Ray\n\n{text}<!-- end of beside ray -->\n"
    return SECTION.sub(lambda _: section, page) if section_of(page) else page.rstrip("\n") + "\n" + section


def with_figures(readme: str, page: str) -> str:
    """Return the README with the figures of the page."""
    return TABLE.sub(lambda _: table(page), readme)


def main() -> None:
    """Update the table in README.md."""
    text = with_figures(README.read_text(encoding="utf-8"), PAGE.read_text(encoding="utf-8"))
    README.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
