// Figures of the cluster, as a list of terms.

import { make, setText } from "./dom.js";
import { bytes, count, percent, seconds } from "./format.js";

const SHOWN = [
  ["Workers", (s) => count(s.workers)],
  ["Threads", (s) => count(s.cores)],
  ["CPU", (s) => percent(s.cpu)],
  ["Clients", (s) => count(s.clients)],
  ["Tasks", (s) => count(s.tasks)],
  ["Processing", (s) => count(s.processing)],
  ["Queued", (s) => count(s.queued)],
  ["No worker", (s) => count(s.unrunnable)],
  ["In memory", (s) => count(s.memory)],
  ["Failed", (s) => count(s.erred)],
  ["Stored", (s) => bytes(s.bytes)],
  ["Occupancy", (s) => seconds(s.occupancy)],
];

/** Fill a place with figures, each of [name, text of the facts]; return a function that sets them. */
export function figureList(host, shown) {
  const values = shown.map(([name]) => {
    const value = make("dd", { "data-figure": name }, "–");
    return { pair: make("div", {}, make("dt", {}, name), value), value };
  });
  host.append(make("dl", { class: "figures" }, ...values.map(({ pair }) => pair)));
  return (facts) => shown.forEach(([, text], index) => setText(values[index].value, text(facts)));
}

export function figures(host, { store }) {
  const set = figureList(host, SHOWN);
  return {
    draw() {
      const facts = store.figures("summary");
      if ("workers" in facts) set(facts);
    },
  };
}
