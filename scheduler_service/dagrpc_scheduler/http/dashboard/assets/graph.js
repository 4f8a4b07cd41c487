// The task graph: single tasks while they are few, else groups of tasks.

import { Canvas, fitted } from "./canvas.js";
import { STATES, prefixColor, stateColor, themed } from "./colors.js";
import { button, make, setText } from "./dom.js";
import { count } from "./format.js";
import { layOut } from "./graph_layout.js";

export function graph(host, context) {
  const { store } = context;
  let [drawn, shape, view, boxes] = [{ nodes: [], edges: [] }, "", { zoom: 1, x: 0, y: 0 }, []];
  const note = make("span", { class: "soft", role: "status" });
  host.append(make("div", { class: "controls" },
    button("+", "Zoom in", () => zoom(1.5)), button("−", "Zoom out", () => zoom(1 / 1.5)),
    button("←", "Move left", () => move(80, 0)), button("→", "Move right", () => move(-80, 0)),
    button("↑", "Move up", () => move(0, 80)), button("↓", "Move down", () => move(0, -80)),
    button("Whole", "Show the whole graph", () => { view = { zoom: 1, x: 0, y: 0 }; canvas.draw(); }), note));
  const canvas = new Canvas(host, { label: "Task graph; the page Groups has the groups as a table", height: 520, draw: paint, hit, focusable: true });
  const legend = make("ul", { class: "legend" }, ...STATES.map((state) => make("li", {}, make("span", { class: `swatch state-${state}` }), state)));
  host.append(legend);
  attach();

  function zoom(factor, x = canvas.element.clientWidth / 2, y = canvas.height / 2) {
    view = { zoom: view.zoom * factor, x: x - (x - view.x) * factor, y: y - (y - view.y) * factor };
    canvas.draw();
  }

  function move(x, y) { view = { ...view, x: view.x + x, y: view.y + y }; canvas.draw(); }

  function attach() {
    const { element } = canvas;
    element.addEventListener("pointermove", (event) => {
      if (!event.buttons || Math.abs(event.movementX) + Math.abs(event.movementY) < 1) return;
      canvas.dragged = true;
      move(event.movementX, event.movementY);
    });
    element.addEventListener("wheel", (event) => {
      if (!(event.ctrlKey || event.shiftKey || document.activeElement === element)) return;
      event.preventDefault();
      zoom(Math.exp(-(event.deltaY || event.deltaX) / 400), event.offsetX, event.offsetY);
    }, { passive: false });
    const keys = { ArrowLeft: () => move(60, 0), ArrowRight: () => move(-60, 0), ArrowUp: () => move(0, 60), ArrowDown: () => move(0, -60), "+": () => zoom(1.5), "-": () => zoom(1 / 1.5) };
    element.addEventListener("keydown", (event) => { if (keys[event.key]) { event.preventDefault(); keys[event.key](); } });
  }

  function paint(paper, width, height) {
    const { nodes, edges } = drawn;
    const [across, down] = [Math.max(...nodes.map((node) => node.x), 0) + 1, Math.max(...nodes.map((node) => node.y), 0.5) + 0.5];
    const [stepX, stepY] = [((width - 20) / across) * view.zoom, ((height - 20) / down) * view.zoom];
    const at = (node) => [10 + (node.x + 0.5) * stepX + view.x, 10 + node.y * stepY + view.y];
    const group = nodes[0]?.row.kind === "group";
    paper.strokeStyle = themed("edge");
    paper.lineWidth = edges.length > 2_000 ? 0.4 : 1;
    paper.beginPath();
    for (const [from, to] of edges) {
      const [x1, y1, x2, y2] = [...at(from), ...at(to)];
      if (Math.max(x1, x2) < 0 || Math.min(x1, x2) > width) continue;
      paper.moveTo(x1, y1);
      paper.bezierCurveTo((x1 + x2) / 2, y1, (x1 + x2) / 2, y2, x2, y2);
    }
    paper.stroke();
    paper.lineWidth = 1;
    boxes = nodes.map((node) => {
      const [x, y] = at(node);
      const wide = group ? Math.min(Math.max(stepX * 0.7, 8), 180) : Math.min(Math.max(Math.min(stepX, stepY) * 0.6, 3), 16);
      const tall = group ? Math.min(Math.max(stepY * 0.7, 6), 30) : wide;
      return { node, left: x - wide / 2, top: y - tall / 2, wide, tall };
    });
    const colors = Object.fromEntries(STATES.map((state) => [state, stateColor(state)]));
    for (const box of boxes) if (box.left < width && box.left + box.wide > 0 && box.top < height && box.top + box.tall > 0) (group ? paintGroup : paintTask)(paper, box, colors);
  }

  function paintTask(paper, { node, left, top, wide, tall }, colors) {
    const { state, prefix } = node.row;
    paper.fillStyle = state === "memory" ? prefixColor(prefix) : colors[state];
    paper.fillRect(left, top, wide, tall);
    if (state === "erred" || state === "processing") {
      paper.strokeStyle = themed("text");
      paper.strokeRect(left, top, wide, tall);
    }
  }

  function paintGroup(paper, { node, left, top, wide, tall }, colors) {
    const { counts, prefix } = node.row;
    const total = counts.reduce((sum, value) => sum + value, 0) || 1;
    let x = left;
    counts.forEach((value, index) => {
      const part = (wide * value) / total;
      paper.fillStyle = STATES[index] === "memory" ? prefixColor(prefix) : colors[STATES[index]];
      paper.fillRect(x, top, part, tall);
      x += part;
    });
    paper.strokeStyle = themed("text");
    paper.strokeRect(left, top, wide, tall);
    if (tall < 12 || wide < 30) return;
    const text = fitted(paper, prefix, wide - 6);
    const room = paper.measureText(text).width;
    paper.fillStyle = themed("back");
    paper.fillRect(left + wide / 2 - room / 2 - 2, top + tall / 2 - 7, room + 4, 14);
    paper.fillStyle = themed("text");
    paper.textAlign = "center";
    paper.fillText(text, left + wide / 2, top + tall / 2);
  }

  function hit(x, y) {
    const found = boxes.find(({ left, top, wide, tall }) => x >= left - 2 && x <= left + wide + 2 && y >= top - 2 && y <= top + tall + 2);
    if (!found) return undefined;
    const { name, row } = found.node;
    if (row.kind === "task") return { lines: [name, row.state], open: () => context.openTask(name) };
    return { lines: [name, ...STATES.map((state, index) => [state, row.counts[index]]).filter(([, value]) => value).map(([state, value]) => `${count(value)} ${state}`)] };
  }

  return {
    draw() {
      const table = store.table("graph");
      // The layout is made again only if nodes came or went.
      const names = [...table.keys()].join("\n");
      if (names !== shape) { shape = names; drawn = layOut(table); }
      for (const node of drawn.nodes) node.row = table.get(node.name) ?? node.row;
      const kind = drawn.nodes[0]?.row.kind;
      setText(note, kind ? `${count(table.size)} ${kind}s, ${count(drawn.edges.length)} dependencies` : "no tasks");
      canvas.draw();
    },
    close: () => canvas.close(),
  };
}
