// A table of any length that is sorted and filtered: only the rows in sight are elements.

import { make, searchField, setText } from "./dom.js";

const ROW = 27;
const SPARE = 8;

export class DataTable {
  /**
   * `columns` have `title`, `value(row, name)` to sort by, and optionally `text(row, name)`, `bar(row)` (0 to 1) and
   * `open(row, name)`; `sort` is the column to begin with.
   */
  constructor(host, { label, columns, sort = 0, descending = false, height = "65vh" }) {
    this.columns = columns;
    this.order = { column: sort, descending };
    this.filter = "";
    this.rows = [];
    this.lines = [];
    this.count = make("span", { class: "soft", role: "status" });
    this.heads = columns.map((column, index) => make("th", { scope: "col", class: column.text ? "number" : "" },
      make("button", { type: "button", click: () => this.sortBy(index) }, column.title)));
    this.body = make("tbody");
    this.above = make("tr", { "aria-hidden": "true" }, make("td", { colspan: columns.length, class: "spacer" }));
    this.below = make("tr", { "aria-hidden": "true" }, make("td", { colspan: columns.length, class: "spacer" }));
    this.scroller = make("div", { class: "scroller", tabindex: 0, role: "region", "aria-label": label, scroll: () => this.show() },
      make("table", {}, make("thead", {}, make("tr", {}, ...this.heads)), this.body));
    this.scroller.style.maxHeight = height;
    host.append(
      make("div", { class: "controls" }, searchField("Filter", (text) => { this.filter = text.toLowerCase(); this.arrange(); }), this.count),
      this.scroller);
    this.observer = new ResizeObserver(() => this.show());
    this.observer.observe(this.scroller);
  }

  sortBy(column) {
    const again = this.order.column === column;
    // Numbers are mostly looked at from the largest down.
    this.order = { column, descending: again ? !this.order.descending : Boolean(this.columns[column].text) };
    this.arrange();
  }

  /** Take the rows of a feed: a map of rows by name. */
  set(table) {
    this.all = [...table];
    this.arrange();
  }

  arrange() {
    const { column, descending } = this.order;
    const { value } = this.columns[column];
    const shown = this.filter ? this.all.filter(([name, row]) => this.matches(name, row)) : this.all ?? [];
    this.rows = shown.map((entry) => [value(entry[1], entry[0]), entry]);
    this.rows.sort(([a], [b]) => (descending ? -1 : 1) * (typeof a === "number" ? a - b : String(a).localeCompare(String(b), undefined, { numeric: true })));
    this.heads.forEach((head, index) => head.setAttribute("aria-sort", index !== column ? "none" : descending ? "descending" : "ascending"));
    const all = this.all?.length ?? 0;
    setText(this.count, this.filter ? `${this.rows.length} of ${all}` : `${all}`);
    this.show();
  }

  matches(name, row) {
    return this.columns.some((column) => String(column.text ? column.text(row, name) : column.value(row, name)).toLowerCase().includes(this.filter));
  }

  show() {
    const first = Math.max(0, Math.floor(this.scroller.scrollTop / ROW) - SPARE);
    const last = Math.min(this.rows.length, first + Math.ceil((this.scroller.clientHeight || 400) / ROW) + 2 * SPARE);
    this.above.firstChild.style.height = `${first * ROW}px`;
    this.below.firstChild.style.height = `${(this.rows.length - last) * ROW}px`;
    while (this.lines.length < last - first) this.lines.push(this.makeLine());
    for (let index = first; index < last; index += 1) this.fill(this.lines[index - first], this.rows[index][1]);
    const wanted = [this.above, ...this.lines.slice(0, last - first).map((line) => line.element), this.below];
    if (wanted.length !== this.body.childElementCount) this.body.replaceChildren(...wanted);
  }

  makeLine() {
    const line = { name: "", row: undefined };
    line.cells = this.columns.map((column) => {
      const text = column.open
        ? make("a", { href: "#", click: (event) => { event.preventDefault(); column.open(line.row, line.name); } })
        : make("span");
      const cell = make("td", { class: column.text ? "number" : "" });
      if (column.bar) cell.append(make("span", { class: "cell-bar" }));
      cell.append(text);
      return { cell, text };
    });
    line.element = make("tr", {}, ...line.cells.map(({ cell }) => cell));
    return line;
  }

  fill(line, [name, row]) {
    line.name = name;
    line.row = row;
    this.columns.forEach((column, index) => {
      const { cell, text } = line.cells[index];
      setText(text, String(column.text ? column.text(row, name) : column.value(row, name)));
      if (column.bar) cell.firstChild.style.width = `${Math.min(100, 100 * (column.bar(row) || 0))}%`;
    });
  }

  close() { this.observer.disconnect(); }
}
