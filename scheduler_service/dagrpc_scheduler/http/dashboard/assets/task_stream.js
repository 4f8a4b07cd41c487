// The task stream: what each thread of each worker did when.

import { ACTIONS, prefixColor, themed } from "./colors.js";
import { Canvas, fitted } from "./canvas.js";
import { TimeAxis } from "./time_axis.js";
import { bytes, clock, count, place, seconds } from "./format.js";
import { make, searchField, setText } from "./dom.js";

const [COMPUTE, TRANSFER, DESERIALIZE] = [1, 2, 3];
const NAMES = { [COMPUTE]: "compute", [TRANSFER]: "transfer", [DESERIALIZE]: "deserialize" };
const [WORKER, THREAD, KEY, PREFIX, ACTIVITIES, NBYTES, TYPE, ERROR] = [0, 1, 2, 3, 4, 5, 6, 7];
const AXIS = 20;

export const begin = (row) => row[ACTIVITIES][0]?.[1] ?? 0;
const end = (row) => { const last = row[ACTIVITIES].at(-1); return last ? last[1] + last[2] : 0; };

function colorOf(row, kind) {
  if (kind === TRANSFER) return ACTIONS.transfer;
  if (kind === DESERIALIZE) return ACTIONS.deserialize;
  return row[ERROR] ? themed("text") : prefixColor(row[PREFIX]);
}

export function taskStream(host, context) {
  const { store } = context;
  const lanes = new Map();
  let [laneHeight, position, timer, filter] = [16, undefined, 0, ""];
  const note = make("span", { class: "soft", role: "status" });
  const legend = make("ul", { class: "legend" });
  const origin = () => store.origin.tasks ?? 0;
  const axis = new TimeAxis({
    left: 0,
    now: () => store.now() - origin(),
    extent: () => {
      const rows = store.tail("tasks");
      return rows.length ? [Math.min(...sample(rows).map(begin)), end(rows.at(-1))] : [0, 1];
    },
    changed: () => { schedule(); canvas?.draw(); },
  });
  axis.controls.append(searchField("Show a prefix or key", (text) => { filter = text; canvas.draw(); }), note);
  host.append(axis.controls);
  const canvas = new Canvas(host, { label: "Task stream: a row for each thread, a block for each task", height: 120, draw: paint, hit, focusable: true });
  axis.attach(canvas);
  host.append(legend);
  schedule();

  /** While it follows the present, the picture moves between two messages, too. */
  function schedule() {
    clearInterval(timer);
    if (axis.mode === "live") timer = setInterval(() => { if (!document.hidden) canvas.draw(); }, axis.span > 120 ? 500 : 100);
  }

  function arrange() {
    const names = new Set(store.tail("tasks").map((row) => `${row[WORKER]} ${row[THREAD]}`));
    lanes.clear();
    [...names].sort((a, b) => a.localeCompare(b, undefined, { numeric: true })).forEach((name, index) => lanes.set(name, index));
    laneHeight = Math.min(Math.max(Math.floor(560 / Math.max(lanes.size, 1)), 1), 22);
    canvas.setHeight(Math.max(laneHeight * lanes.size, 60) + AXIS);
  }

  function paint(paper, width, height) {
    const rows = store.tail("tasks");
    position = axis.draw(paper, width, height - AXIS, origin());
    const [from, to] = axis.range;
    const drawn = new Float64Array(lanes.size * 2).fill(-1);
    const gap = laneHeight > 4 ? 1 : 0;
    let [seen, color] = [0, ""];
    for (const row of rows) {
      if (end(row) < from || begin(row) > to) continue;
      if (filter && !row[PREFIX].includes(filter) && !row[KEY].includes(filter)) continue;
      const lane = lanes.get(`${row[WORKER]} ${row[THREAD]}`);
      if (lane === undefined) continue;
      seen += 1;
      for (const [kind, start, took] of row[ACTIVITIES]) {
        const left = position(start);
        const right = Math.max(position(start + took), left + 1);
        const slim = kind === TRANSFER ? 1 : 0;
        // What would fall into a pixel that is taken is not drawn.
        if (right <= drawn[lane * 2 + slim] + 0.5) continue;
        drawn[lane * 2 + slim] = right;
        const wanted = colorOf(row, kind);
        if (wanted !== color) { paper.fillStyle = wanted; color = wanted; }
        // Transfers are lower than the rest, so that their colour is not all that tells them apart.
        paper.fillRect(left, lane * laneHeight, Math.max(right - left - (right - left > 3 ? gap : 0), 1), slim ? Math.max(laneHeight / 2, 1) : Math.max(laneHeight - gap, 1));
        if (kind === COMPUTE && row[ERROR] && right - left > 8) {
          paper.fillStyle = themed("back");
          paper.textAlign = "left";
          paper.fillText(fitted(paper, "✕", right - left), left + 2, lane * laneHeight + laneHeight / 2);
          color = "";
        }
      }
    }
    setText(note, `${count(seen)} of ${count(rows.length)} tasks${store.skipped.tasks ? `; ${count(store.skipped.tasks)} are left out` : ""}`);
  }

  function hit(x, y) {
    if (!position) return undefined;
    const lane = Math.floor(y / laneHeight);
    const rows = store.tail("tasks");
    let [best, distance] = [undefined, 3];
    for (let index = rows.length - 1; index >= 0; index -= 1) {
      const row = rows[index];
      if (lanes.get(`${row[WORKER]} ${row[THREAD]}`) !== lane) continue;
      const away = Math.max(position(begin(row)) - x, x - position(end(row)), 0);
      if (away < distance) { best = row; distance = away; if (!away) break; }
    }
    if (!best) return undefined;
    const done = best[ACTIVITIES].map(([kind, , took]) => `${NAMES[kind] ?? "other"}: ${seconds(took)}`);
    const lines = [best[KEY], `${place(best[WORKER])} at ${clock(begin(best) + origin(), 3)}`, ...done, best[ERROR] || `${best[TYPE]}, ${bytes(best[NBYTES])}`];
    return { lines, open: () => context.openTask(best[KEY]) };
  }

  function drawLegend() {
    const prefixes = new Map();
    for (const row of store.tail("tasks")) prefixes.set(row[PREFIX], (prefixes.get(row[PREFIX]) ?? 0) + 1);
    const largest = [...prefixes].sort((a, b) => b[1] - a[1]).slice(0, 12).map(([name]) => [name, prefixColor(name)]);
    const entries = [...largest, ["transfer (lower)", ACTIONS.transfer], ["deserialize", ACTIONS.deserialize], ["failed ✕", themed("text")]];
    legend.replaceChildren(...entries.map(([name, color]) => {
      const swatch = make("span", { class: "swatch" });
      swatch.style.background = color;
      return make("li", {}, swatch, name);
    }));
  }

  return {
    draw() { arrange(); drawLegend(); canvas.draw(); },
    close() { clearInterval(timer); canvas.close(); },
  };
}

/** Return some of many rows, the first among them: enough for the earliest time, since rows come about in order. */
const sample = (rows) => (rows.length > 2_000 ? rows.slice(0, 2_000) : rows);
