// One worker: figures, memory over time, transfers, running tasks with their call stacks, profile, log.

import { KINDS } from "./colors.js";
import { LineChart } from "./line_chart.js";
import { KIND_NAMES, showPast } from "./memory.js";
import { bytes, count, percent, seconds } from "./format.js";
import { button, make } from "./dom.js";
import { fetchDetails } from "./details.js";
import { figureList } from "./figures.js";
import { profile } from "./profile.js";
import { transferTimeline } from "./transfers.js";

const SHOWN = [
  ["Status", (row) => row.status], ["Threads", (row) => count(row.nthreads)], ["CPU", (row) => percent(row.cpu)],
  ["Memory", (row) => bytes(row.memory)], ["Limit", (row) => (row.limit ? bytes(row.limit) : "none")],
  ["Processing", (row) => count(row.processing)], ["Running", (row) => count(row.executing)],
  ["In memory", (row) => count(row.in_memory)], ["Occupancy", (row) => seconds(row.occupancy)],
];

export function workerPage(host, context, address) {
  const title = make("h3", {}, address);
  host.append(make("p", {}, make("a", { href: "workers", click: (event) => { event.preventDefault(); context.navigate("workers"); } }, "All workers")), title);
  const set = figureList(host, SHOWN);
  host.append(make("h3", {}, "Memory over time"));
  const kinds = Object.keys(KINDS);
  const chart = new LineChart(host, { label: "Memory over time", series: kinds.map((kind) => [KIND_NAMES[kind], KINDS[kind]]), format: bytes, stacked: true });
  showPast(chart, { worker: address });
  host.append(make("h3", {}, "Transfers"));
  let transfers = [];
  const own = Object.assign(Object.create(context.store), { tail: () => transfers });
  const timeline = transferTimeline(host, { store: own });
  section(host, "Running tasks and their call stacks", (place) => showStacks(place, address, context));
  section(host, "Results in memory", (place) => showResults(place, address, context));
  section(host, "Log", (place) => showLog(place, address));
  host.append(make("h3", {}, "Profile of its tasks"));
  const flames = profile("tasks", address)(host, context);
  let last = 0;
  return {
    draw() {
      const row = context.store.table("workers").get(address);
      if (!row) { title.textContent = `${address} is not in the cluster`; return; }
      title.textContent = `${row.name} at ${address}`;
      set(row);
      transfers = context.store.tail("transfers").filter(([receiver, sender]) => receiver === address || sender === address);
      timeline.draw();
      if (context.store.time - last < 0.9) return;
      last = context.store.time;
      chart.add(last, kinds.map((kind) => row[kind]));
    },
    close() { chart.close(); timeline.close(); flames.close(); },
  };
}

/** Add a part that is loaded at once, and again at the press of a button. */
function section(host, title, load) {
  const place = make("div", {}, "…");
  const run = () => load(place).catch((error) => place.replaceChildren(make("p", {}, error.message)));
  host.append(make("h3", {}, `${title} `, button("Refresh", `Refresh: ${title}`, run)), place);
  run();
}

async function showStacks(place, address, context) {
  const [{ stacks }, worker] = await Promise.all([fetchDetails("stacks", { worker: address }), fetchDetails("worker", { worker: address })]);
  const running = stacks.map(([key, frames]) => make("details", { open: true }, make("summary", {}, key), make("pre", {}, frames.join("\n"))));
  const waiting = worker.processing.filter((key) => !stacks.some(([other]) => other === key));
  place.replaceChildren(...(running.length ? running : [make("p", { class: "soft" }, "No task runs.")]), keyList("Assigned", waiting, worker.processing_count - stacks.length, context));
}

async function showResults(place, address, context) {
  const worker = await fetchDetails("worker", { worker: address });
  place.replaceChildren(keyList("Results", worker.in_memory, worker.in_memory_count, context));
}

function keyList(title, keys, total, context) {
  const rest = total > keys.length ? make("li", {}, `and ${count(total - keys.length)} more`) : undefined;
  return make("details", {}, make("summary", {}, `${title} (${count(Math.max(total, 0))})`),
    make("ul", { class: "keys" }, ...keys.map((key) => make("li", {}, make("a", { href: "#", click: (event) => { event.preventDefault(); context.openTask(key); } }, key))), rest));
}

async function showLog(place, address) {
  const { lines } = await fetchDetails("log", { worker: address });
  const text = lines.map(([, line]) => line).join("\n");
  place.replaceChildren(make("pre", { class: "log", tabindex: 0 }, text || "The log is empty."));
}
