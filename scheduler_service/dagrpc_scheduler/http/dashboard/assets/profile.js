// Profiles: a flame graph, root on top, and the functions in which most time was spent.

import { Canvas, fitted } from "./canvas.js";
import { inkOn, prefixColor } from "./colors.js";
import { button, make, select } from "./dom.js";
import { fetchDetails } from "./details.js";

const ROW = 18;
const PERIODS = [["0", "all that is kept"], ["10", "10 s"], ["60", "1 min"], ["600", "10 min"]];

/** Return the maker of a panel for the profile of a subject, or of one worker's tasks. */
export const profile = (subject, worker = undefined) => (host, context) => {
  let [nodes, lines, focus, period, timer] = [[], [], 0, "0", 0];
  const note = make("span", { class: "soft", role: "status" });
  const table = make("div");
  const { element } = select("Last", PERIODS, (value) => { period = value; load(); });
  host.append(make("div", { class: "controls" }, element, button("Refresh", "Load the profile again", load), button("Whole", "Show the whole profile", () => zoom(0)), note));
  const canvas = new Canvas(host, { label: "Flame graph; the table below has the functions by time", height: 60, draw: paint, hit });
  host.append(make("details", {}, make("summary", {}, "Functions by time"), table));
  load();

  async function load() {
    clearTimeout(timer);
    note.textContent = "loading";
    try {
      const answer = await fetchDetails("profile", { subject, seconds: period, ...(worker ? { worker } : {}) });
      [nodes, lines, focus] = [layOut(answer.nodes), answer.lines, 0];
      note.textContent = nodes.length ? `${nodes[0].count} samples` : "no samples yet";
      table.replaceChildren(functionTable(nodes, lines));
      zoom(0);
      // Sampling of the scheduler begins with the first question.
      if (!nodes.length) timer = setTimeout(load, 3_000);
    } catch (error) {
      note.textContent = error.message;
    }
  }

  function zoom(index) {
    focus = index;
    const base = nodes[index]?.depth ?? 0;
    const deepest = nodes.reduce((most, node) => (inside(node) ? Math.max(most, node.depth - base) : most), 0);
    canvas.setHeight(Math.min((deepest + 1) * ROW, 900));
    canvas.draw();
  }

  function inside(node) {
    const root = nodes[focus];
    return node.start < root.start + root.count && node.start + node.count > root.start;
  }

  function paint(paper, width) {
    const root = nodes[focus];
    if (!root) return;
    const scale = width / root.count;
    paper.textAlign = "left";
    for (const node of nodes) {
      if (!inside(node) || node.depth < root.depth) continue;
      const [left, wide] = [Math.max((node.start - root.start) * scale, 0), Math.min(node.count, root.count) * scale];
      if (wide < 0.5) continue;
      const color = node.line ? prefixColor(lines[node.line - 1][1]) : "#8c8c8c";
      paper.fillStyle = color;
      paper.fillRect(left, (node.depth - root.depth) * ROW, Math.max(wide - 1, 0.5), ROW - 1);
      if (wide < 24) continue;
      paper.fillStyle = inkOn(color);
      paper.fillText(fitted(paper, nameOf(node), wide - 6), left + 3, (node.depth - root.depth) * ROW + ROW / 2);
    }
    canvas.scale = scale;
  }

  const nameOf = (node) => (node.line ? lines[node.line - 1][0] : "all samples");

  function hit(x, y) {
    const root = nodes[focus];
    if (!root || !canvas.scale) return undefined;
    const [at, depth] = [root.start + x / canvas.scale, root.depth + Math.floor(y / ROW)];
    const index = nodes.findIndex((node) => node.depth === depth && node.start <= at && at < node.start + node.count);
    if (index < 0) return undefined;
    const node = nodes[index];
    const [, file, number, source] = node.line ? lines[node.line - 1] : ["", "", "", ""];
    const share = `${((100 * node.count) / nodes[0].count).toFixed(1)} % of all samples (${node.count})`;
    return { lines: [nameOf(node), file ? `${file}:${number}` : "", source, share].filter(Boolean), open: () => zoom(index) };
  }

  return { draw: () => canvas.draw(), close: () => { clearTimeout(timer); canvas.close(); } };
};

/** Give each node of [parent, line, count] its depth and its place from the left. */
function layOut(flat) {
  const nodes = flat.map(([parent, line, count]) => ({ parent, line, count, depth: 0, start: 0, used: 0, own: count }));
  nodes.forEach((node, index) => {
    if (!index) return;
    const parent = nodes[node.parent];
    node.depth = parent.depth + 1;
    node.start = parent.start + parent.used;
    parent.used += node.count;
    parent.own -= node.count;
  });
  return nodes;
}

function functionTable(nodes, lines) {
  const totals = new Map();
  for (const node of nodes) {
    if (!node.line) continue;
    const [name, file] = lines[node.line - 1];
    const key = `${name} ${file}`;
    const entry = totals.get(key) ?? totals.set(key, { name, file, own: 0 }).get(key);
    entry.own += node.own;
  }
  const all = nodes[0]?.count || 1;
  const rows = [...totals.values()].sort((a, b) => b.own - a.own).slice(0, 30);
  return make("table", {}, make("thead", {}, make("tr", {}, ...["Function", "File", "In itself"].map((name) => make("th", {}, name)))),
    make("tbody", {}, ...rows.map(({ name, file, own }) => make("tr", {}, make("td", {}, name), make("td", {}, file), make("td", { class: "number" }, `${((100 * own) / all).toFixed(1)} %`)))));
}
