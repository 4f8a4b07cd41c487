"""HTML: text is escaped, markup is not."""

from __future__ import annotations

from dagrpc._common.markup import Markup, element, folded, joined, table


def test_text_is_escaped_and_markup_is_not() -> None:
    assert element("p", "a < b", Markup("<br>"), title='"x"') == '<p title="&quot;x&quot;">a &lt; b<br></p>'
    assert joined("<", element("b", 1)) == "&lt;<b>1</b>"


def test_a_class_is_an_attribute() -> None:
    assert element("p", class_="hint") == '<p class="hint"></p>'


def test_folded_content_has_a_summary() -> None:
    assert folded("2 < 3", "rest") == "<details><summary>2 &lt; 3</summary>rest</details>"


def test_cells_are_escaped_and_numbers_have_a_class() -> None:
    text = table(("Name", "Count"), [("<x>", 1)], numbers={1}, style="color: red")
    assert text == (
        '<table><tr><th>Name</th><th class="number">Count</th></tr>'
        '<tr><td style="color: red">&lt;x&gt;</td><td class="number">1</td></tr></table>'
    )


def test_an_empty_header_is_left_out() -> None:
    assert table(("", ""), [("a", "b")]) == "<table><tr><td>a</td><td>b</td></tr></table>"
