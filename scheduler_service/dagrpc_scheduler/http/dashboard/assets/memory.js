// Memory: of the cluster by kind, over time, and by prefix of tasks.

import { DataTable } from "./data_table.js";
import { KINDS } from "./colors.js";
import { LineChart } from "./line_chart.js";
import { bytes, count } from "./format.js";
import { fetchDetails } from "./details.js";
import { make, setText } from "./dom.js";

export const KIND_NAMES = { managed: "managed", unmanaged_old: "unmanaged", unmanaged_recent: "unmanaged, recent", spilled: "spilled to disk" };

export function clusterMemory(host, { store }) {
  const bar = make("div", { class: "bar tall" });
  const parts = Object.entries(KINDS).map(([kind, color]) => {
    const part = make("span", { class: "part" });
    part.style.background = color;
    const swatch = make("span", { class: "swatch" });
    swatch.style.background = color;
    const text = make("span", { "data-memory": kind }, "–");
    return { kind, part, text, entry: make("li", {}, swatch, `${KIND_NAMES[kind]} `, text) };
  });
  const limit = make("li", {}, "–");
  bar.append(...parts.map(({ part }) => part));
  host.append(bar, make("ul", { class: "legend" }, ...parts.map(({ entry }) => entry), limit));
  return {
    draw() {
      const facts = store.figures("summary");
      const used = parts.reduce((sum, { kind }) => sum + (facts[kind] ?? 0), 0);
      const whole = Math.max(facts.memory_limit || 0, used, 1);
      for (const { kind, part, text } of parts) {
        part.style.width = `${(100 * (facts[kind] ?? 0)) / whole}%`;
        setText(text, bytes(facts[kind] ?? 0));
      }
      setText(limit, facts.memory_limit ? `of ${bytes(facts.memory_limit)}` : "without a limit");
    },
  };
}

/** Add to a chart what was before the page was opened, of a worker or of the cluster. */
export function showPast(chart, parameters) {
  // Without an answer, the chart begins now.
  fetchDetails("memory", parameters).then(({ rows }) => chart.before(rows), () => {});
}

export function memoryOverTime(host, { store }) {
  const kinds = Object.keys(KINDS);
  host.append(make("ul", { class: "legend" }, ...kinds.map((kind) => {
    const swatch = make("span", { class: "swatch" });
    swatch.style.background = KINDS[kind];
    return make("li", {}, swatch, KIND_NAMES[kind]);
  })));
  const chart = new LineChart(host, { label: "Memory over time", series: kinds.map((kind) => [KIND_NAMES[kind], KINDS[kind]]), format: bytes, stacked: true });
  showPast(chart, {});
  let last = 0;
  return {
    draw() {
      const facts = store.figures("summary");
      if (store.time - last < 0.9 || !("managed" in facts)) { chart.canvas.draw(); return; }
      last = store.time;
      chart.add(last, kinds.map((kind) => facts[kind]));
    },
    close: () => chart.close(),
  };
}

export function memoryByPrefix(host, { store }) {
  let largest = 1;
  const columns = [
    { title: "Prefix", value: (row, name) => name },
    { title: "Results", value: (row) => row.count, text: (row) => count(row.count) },
    { title: "Bytes", value: (row) => row.nbytes, text: (row) => bytes(row.nbytes), bar: (row) => row.nbytes / largest },
    { title: "With copies", value: (row) => row.copies, text: (row) => bytes(row.copies) },
  ];
  const table = new DataTable(host, { label: "Memory by prefix", columns, sort: 2, descending: true, height: "40vh" });
  return {
    draw() {
      const rows = store.table("holdings");
      largest = Math.max(1, ...[...rows.values()].map((row) => row.nbytes));
      table.set(rows);
    },
    close: () => table.close(),
  };
}
