"""HTML that is made of elements; text in it is escaped."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from html import escape


class Markup(str):
    """HTML that is used as it is; all other text is escaped."""

    __slots__ = ()


def element(tag: str, *content: object, **attributes: str) -> Markup:
    """Return an element with its content and attributes; ``class_`` stands for ``class``.

    >>> element("p", "a < b, ", element("b", "bold"), class_="hint")
    '<p class="hint">a &lt; b, <b>bold</b></p>'
    """
    given = "".join(f' {name.rstrip("_")}="{escape(value)}"' for name, value in attributes.items())
    return Markup(f"<{tag}{given}>{''.join(map(_escaped, content))}</{tag}>")


def joined(*parts: object) -> Markup:
    """Return parts one after the other."""
    return Markup("".join(map(_escaped, parts)))


def folded(summary: object, *content: object) -> Markup:
    """Return content that is shown when the user unfolds its summary."""
    return element("details", element("summary", summary), *content)


LEFT = "text-align: left"
"""Style of the cells of tables in notebooks, which align them to the right otherwise."""


def table(
    header: Sequence[object], rows: Iterable[Sequence[object]], numbers: Collection[int] = (), style: str = ""
) -> Markup:
    """Return a table; a header of empty cells is left out.

    The cells in the columns at the positions `numbers` have the class ``number``, and all others have the `style`.

    >>> table(("Name", "Number"), [("one", 1)])
    '<table><tr><th>Name</th><th>Number</th></tr><tr><td>one</td><td>1</td></tr></table>'
    """
    usual = {"style": style} if style else {}

    def row(cells: Sequence[object], tag: str, given: dict[str, str]) -> Markup:
        parts = (
            element(tag, cell, **({"class_": "number"} if place in numbers else given))
            for place, cell in enumerate(cells)
        )
        return element("tr", *parts)

    head = (row(header, "th", {}),) if any(header) else ()
    return element("table", *head, *(row(cells, "td", usual) for cells in rows))


def _escaped(content: object) -> str:
    return content if isinstance(content, Markup) else escape(str(content))
