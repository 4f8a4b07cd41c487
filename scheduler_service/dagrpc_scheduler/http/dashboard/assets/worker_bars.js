// One bar for each worker: memory by kind, CPU, processing tasks or occupancy.

import { Canvas, fitted } from "./canvas.js";
import { KINDS, themed } from "./colors.js";
import { KIND_NAMES } from "./memory.js";
import { bytes, count, percent, seconds } from "./format.js";

const MEASURES = {
  memory: { parts: (row) => Object.keys(KINDS).map((kind) => [row[kind], KINDS[kind]]), limit: (row) => row.limit, text: (row) => bytes(row.memory), more: (row) => Object.keys(KINDS).map((kind) => `${KIND_NAMES[kind]}: ${bytes(row[kind])}`) },
  cpu: { parts: (row) => [[row.cpu, "#2ab07f"]], limit: (row) => 100 * row.nthreads, text: (row) => percent(row.cpu) },
  processing: { parts: (row) => [[row.executing, "#2ab07f"], [Math.max(row.processing - row.executing, 0), "#6ca6cd"]], limit: (row) => row.nthreads, text: (row) => count(row.processing), more: (row) => [`running: ${row.executing} on ${row.nthreads} threads`] },
  occupancy: { parts: (row) => [[row.occupancy, "#433e85"]], limit: () => 0, text: (row) => seconds(row.occupancy) },
};
const [LABELLED, LEAST, MOST] = [24, 60, 420];

/** Return the maker of a panel for a measure. */
export const workerBars = (measure) => (host, context) => {
  const { parts, limit, text, more = () => [] } = MEASURES[measure];
  let entries = [];
  let step = 1;
  const canvas = new Canvas(host, {
    label: `${measure} by worker; the page Workers has the same as a table`,
    height: LEAST,
    draw(paper, width, height) {
      if (!entries.length) return;
      const labelled = entries.length <= LABELLED;
      const left = labelled ? 54 : 0;
      step = height / entries.length;
      const totals = entries.map(([, row]) => parts(row).reduce((sum, [value]) => sum + value, 0));
      const top = Math.max(...totals, ...entries.map(([, row]) => limit(row)), 1e-9);
      const scale = (width - left - (labelled ? 70 : 0)) / top;
      entries.forEach(([, row], index) => {
        const [y, tall] = [index * step + (labelled ? 2 : 0), Math.max(step - (labelled ? 4 : 0), 1)];
        if (limit(row)) {
          paper.fillStyle = themed("faint");
          paper.fillRect(left, y, limit(row) * scale, tall);
        }
        let x = left;
        for (const [value, color] of parts(row)) {
          paper.fillStyle = color;
          paper.fillRect(x, y, value * scale, tall);
          x += value * scale;
        }
        if (!labelled) return;
        paper.fillStyle = themed("text");
        paper.textAlign = "left";
        paper.fillText(fitted(paper, row.name, left - 6), 0, y + tall / 2);
        paper.fillText(text(row), Math.max(x, left + (limit(row) || 0) * scale) + 6, y + tall / 2);
      });
    },
    hit(x, y) {
      const found = entries[Math.floor(y / step)];
      if (!found) return undefined;
      const [address, row] = found;
      return { lines: [row.name, address, text(row), ...more(row), row.status], open: () => context.openWorker(address) };
    },
  });
  return {
    draw() {
      entries = [...context.store.table("workers")];
      canvas.setHeight(Math.min(Math.max(entries.length * (entries.length <= LABELLED ? 22 : 2), LEAST), MOST));
      canvas.draw();
    },
    close: () => canvas.close(),
  };
};
