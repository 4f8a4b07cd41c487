// Progress by prefix: one bar each, whose parts are the states, and the same in words.

import { STATES, prefixColor } from "./colors.js";
import { count, seconds } from "./format.js";
import { make, setText } from "./dom.js";

const MOST = 60;

export function progress(host, { store }) {
  const rows = new Map();
  const list = make("div", { class: "progress" });
  const rest = make("p", { class: "soft" });
  const legend = make("ul", { class: "legend" }, ...STATES.map((state) => make("li", {}, make("span", { class: `swatch state-${state}` }), state)));
  host.append(legend, list, rest);

  function makeRow(prefix) {
    const parts = STATES.map((state) => make("span", { class: `part state-${state}` }));
    const row = { parts, words: make("span", { class: "numbers" }), time: make("span", { class: "soft" }) };
    const bar = make("div", { class: "bar" }, ...parts);
    bar.style.setProperty("--prefix", prefixColor(prefix));
    row.element = make("div", { class: "row", "data-prefix": prefix }, make("span", { class: "name", title: prefix }, prefix), bar, row.words);
    return row;
  }

  return {
    draw() {
      const sorted = [...store.table("prefixes")].map(([name, { counts, seconds: average }]) => ({ name, counts, average, total: counts.reduce((sum, value) => sum + value, 0) }))
        .filter(({ total }) => total).sort((a, b) => b.total - a.total || a.name.localeCompare(b.name));
      const shown = sorted.slice(0, MOST);
      for (const { name, counts, total, average } of shown) {
        const row = rows.get(name) ?? rows.set(name, makeRow(name)).get(name);
        counts.forEach((value, index) => { row.parts[index].style.width = `${(100 * value) / total}%`; });
        const words = STATES.map((state, index) => [state, counts[index]]).filter(([, value]) => value);
        setText(row.words, `${count(total)}: ${words.map(([state, value]) => `${count(value)} ${state}`).join(", ")}${average >= 0 ? ` · ${seconds(average)} each` : ""}`);
      }
      const elements = shown.map(({ name }) => rows.get(name).element);
      if (elements.length !== list.childElementCount || elements.some((element, index) => list.children[index] !== element)) list.replaceChildren(...elements);
      setText(rest, !sorted.length ? "No tasks." : sorted.length > MOST ? `and ${sorted.length - MOST} smaller prefixes` : "");
    },
  };
}
