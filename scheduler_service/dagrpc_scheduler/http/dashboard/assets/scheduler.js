// The scheduler's own process.

import { LineChart } from "./line_chart.js";
import { bytes, clock, count, percent, seconds } from "./format.js";
import { figureList } from "./figures.js";
import { make } from "./dom.js";

const SHOWN = [
  ["CPU", (s) => percent(s.cpu)],
  ["Memory", (s) => bytes(s.memory)],
  ["Longest delay of the loop", (s) => seconds(s.lag)],
  ["Messages waiting for workers", (s) => count(s.queued_workers)],
  ["Messages waiting for clients", (s) => count(s.queued_clients)],
  ["Open files", (s) => count(s.fds)],
  ["Workers joined / left", (s) => `${count(s.workers_added)} / ${count(s.workers_removed)}`],
  ["Clients joined / left", (s) => `${count(s.clients_added)} / ${count(s.clients_removed)}`],
  ["Tasks stolen / asked for", (s) => `${count(s.steals_confirmed)} / ${count(s.steals_requested)}`],
  ["Running since", (s) => `${new Date(s.started * 1000).toLocaleDateString("en-CA")} ${clock(s.started)}`],
];

export function schedulerFigures(host, { store }) {
  const set = figureList(host, SHOWN);
  host.append(make("h3", {}, "CPU, in percent of one core"));
  const cpu = new LineChart(host, { label: "CPU of the scheduler", series: [["CPU", "#2ab07f"]], format: percent, height: 140 });
  host.append(make("h3", {}, "Longest delay of the event loop"));
  const lag = new LineChart(host, { label: "Lag of the event loop", series: [["longest delay", "#d62728"]], format: seconds, height: 140 });
  const versions = make("dl", { class: "facts" });
  host.append(make("h3", {}, "Versions"), versions);
  let last = 0;
  return {
    draw() {
      const facts = store.figures("scheduler");
      if (!("cpu" in facts)) return;
      set(facts);
      versions.replaceChildren(...[["address", facts.address], ["id", facts.id], ...Object.entries(facts.versions)].filter(([, value]) => value).map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value))));
      if (store.time - last < 0.4) return;
      last = store.time;
      cpu.add(last, [facts.cpu]);
      lag.add(last, [facts.lag]);
    },
    close() { cpu.close(); lag.close(); },
  };
}
