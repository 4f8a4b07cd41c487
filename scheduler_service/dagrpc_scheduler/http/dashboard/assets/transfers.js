// Transfers between workers: when they were and how fast, and who sent how much to whom.

import { Canvas } from "./canvas.js";
import { TimeAxis } from "./time_axis.js";
import { bytes, clock, count, place, seconds } from "./format.js";
import { make, setText } from "./dom.js";
import { prefixColor, themed } from "./colors.js";

const [RECEIVER, SENDER, START, TOOK, KEYS, NBYTES] = [0, 1, 2, 3, 4, 5];
const [ROW, AXIS] = [16, 20];

export function transferTimeline(host, { store }) {
  const lanes = new Map();
  let [position, step] = [undefined, ROW];
  const note = make("span", { class: "soft", role: "status" });
  const origin = () => store.origin.transfers ?? 0;
  const axis = new TimeAxis({
    left: 0,
    now: () => store.now() - origin(),
    extent: () => {
      const rows = store.tail("transfers");
      return rows.length ? [Math.min(...rows.map((row) => row[START])), rows.at(-1)[START] + rows.at(-1)[TOOK]] : [0, 1];
    },
    changed: () => canvas?.draw(),
  });
  axis.controls.append(note);
  host.append(axis.controls);
  const canvas = new Canvas(host, { label: "Transfers: a row for each receiving worker, coloured by the sender", height: 80, draw: paint, hit, focusable: true });
  axis.attach(canvas);

  function paint(paper, width, height) {
    position = axis.draw(paper, width, height - AXIS, origin());
    for (const row of store.tail("transfers")) {
      const [left, right] = [position(row[START]), position(row[START] + row[TOOK])];
      if (right < 0 || left > width) continue;
      paper.fillStyle = prefixColor(row[SENDER]);
      paper.fillRect(left, lanes.get(row[RECEIVER]) * step, Math.max(right - left, 1.5), Math.max(step - 1, 1));
    }
  }

  function hit(x, y) {
    if (!position) return undefined;
    const row = store.tail("transfers").findLast((each) => lanes.get(each[RECEIVER]) === Math.floor(y / step) && position(each[START]) - 2 <= x && x <= position(each[START] + each[TOOK]) + 2);
    if (!row) return undefined;
    return { lines: [`${place(row[SENDER])} → ${place(row[RECEIVER])}`, clock(row[START] + origin(), 3), `${count(row[KEYS])} results, ${bytes(row[NBYTES])} in ${seconds(row[TOOK])}`, `${bytes(row[NBYTES] / Math.max(row[TOOK], 1e-6))}/s`] };
  }

  return {
    draw() {
      const rows = store.tail("transfers");
      lanes.clear();
      [...new Set(rows.map((row) => row[RECEIVER]))].sort().forEach((worker, index) => lanes.set(worker, index));
      step = Math.min(Math.max(Math.floor(480 / Math.max(lanes.size, 1)), 1), ROW);
      canvas.setHeight(Math.max(lanes.size * step, 40) + AXIS);
      setText(note, `${count(rows.length)} transfers, ${bytes(rows.reduce((sum, row) => sum + row[NBYTES], 0))}`);
      canvas.draw();
    },
    close: () => canvas.close(),
  };
}

export function bandwidthMatrix(host, { store }) {
  let [names, sums] = [[], new Map()];
  const note = make("p", { class: "soft", role: "status" });
  host.append(note);
  const canvas = new Canvas(host, { label: "Bytes from each worker (row) to each worker (column)", height: 60, draw: paint, hit });

  const size = (width) => Math.min((width - 4) / Math.max(names.length, 1), 40);

  function paint(paper, width) {
    const cell = size(width);
    const most = Math.max(...[...sums.values()].map((sum) => sum.nbytes), 1);
    names.forEach((sender, row) => names.forEach((receiver, column) => {
      const sum = sums.get(`${sender} ${receiver}`);
      paper.fillStyle = themed("faint");
      paper.fillRect(column * cell, row * cell, cell - 1, cell - 1);
      if (!sum) return;
      paper.globalAlpha = 0.15 + (0.85 * sum.nbytes) / most;
      paper.fillStyle = "#2d708e";
      paper.fillRect(column * cell, row * cell, cell - 1, cell - 1);
      paper.globalAlpha = 1;
    }));
  }

  function hit(x, y) {
    const cell = size(canvas.element.clientWidth);
    const [sender, receiver] = [names[Math.floor(y / cell)], names[Math.floor(x / cell)]];
    const sum = sums.get(`${sender} ${receiver}`);
    if (!sender || !receiver) return undefined;
    return { lines: [`${place(sender)} → ${place(receiver)}`, sum ? `${bytes(sum.nbytes)} in ${count(sum.transfers)} transfers, ${bytes(sum.nbytes / Math.max(sum.took, 1e-6))}/s` : "nothing"] };
  }

  return {
    draw() {
      sums = new Map();
      for (const row of store.tail("transfers")) {
        const key = `${row[SENDER]} ${row[RECEIVER]}`;
        const sum = sums.get(key) ?? sums.set(key, { nbytes: 0, took: 0, transfers: 0 }).get(key);
        sum.nbytes += row[NBYTES];
        sum.took += row[TOOK];
        sum.transfers += 1;
      }
      names = [...new Set(store.tail("transfers").flatMap((row) => [row[SENDER], row[RECEIVER]]))].sort();
      setText(note, names.length ? "Rows send, columns receive; the darker, the more bytes." : "No transfers yet.");
      canvas.setHeight(Math.max(size(canvas.element.clientWidth) * names.length, 20));
      canvas.draw();
    },
    close: () => canvas.close(),
  };
}
