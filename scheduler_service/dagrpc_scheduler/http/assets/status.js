// The live status page: draws each snapshot of the scheduler's stream.

const STATES = ["memory", "processing", "queued", "waiting", "no-worker", "erred", "released"];
const COLUMNS = ["Worker", "Name", "Status", "Threads", "CPU %", "Memory", "Limit", "Occupancy s", "Processing", "In memory"];
const BYTES = new Set([5, 6]);
let order = { column: 0, descending: false };
let latest = null;

const element = (id) => document.getElementById(id);

function bytes(count) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (count >= 1024 && unit < units.length - 1) { count /= 1024; unit += 1; }
  return `${count.toFixed(unit ? 1 : 0)} ${units[unit]}`;
}

function make(tag, text, name) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (name) made.className = name;
  return made;
}

function drawFigures(data) {
  const { counts } = data;
  const shown = [
    ["Workers", counts.workers], ["Threads", counts.cores], ["Clients", counts.clients], ["Tasks", counts.tasks],
    ["Processing", counts.processing], ["Queued", counts.queued], ["No worker", counts.unrunnable],
    ["In memory", counts.memory], ["Failed", counts.erred], ["Stored", bytes(counts.bytes)],
    ["Occupancy", `${data.occupancy.toFixed(1)} s`], ["Workers wanted", counts.desired_workers],
  ];
  element("figures").replaceChildren(...shown.map(([name, value]) => {
    const pair = make("div");
    pair.append(make("dt", name), make("dd", String(value)));
    return pair;
  }));
}

function stack(parts, format) {
  const total = parts.reduce((sum, [, value]) => sum + value, 0) || 1;
  return parts.filter(([, value]) => value > 0).map(([name, value]) => {
    const part = make("span", "", `part ${name}`);
    part.style.width = `${(100 * value) / total}%`;
    part.title = `${name.replace("_", " ")}: ${format(value)}`;
    return part;
  });
}

function drawMemory(data) {
  const parts = Object.entries(data.memory);
  const legend = make("p", parts.map(([name, value]) => `${name.replace("_", " ")} ${bytes(value)}`).join(" · "), "legend");
  const bar = make("div", undefined, "bar");
  bar.append(...stack(parts, bytes));
  element("memory").replaceChildren(bar, legend);
}

function drawProgress(data) {
  element("progress").replaceChildren(...data.prefixes.map(([name, states]) => {
    const row = make("div", undefined, "row");
    const total = Object.values(states).reduce((sum, count) => sum + count, 0);
    const bar = make("div", undefined, "bar");
    bar.append(...stack(STATES.map((state) => [state, states[state] || 0]), String));
    const words = STATES.filter((state) => states[state]).map((state) => `${states[state]} ${state}`).join(", ");
    row.append(make("span", name, "name"), bar, make("span", `${total}: ${words}`, "numbers"));
    return row;
  }));
}

function drawWorkers(data) {
  const rows = [...data.workers].sort((one, other) => {
    const [a, b] = [one[order.column], other[order.column]];
    const sign = typeof a === "number" ? a - b : String(a).localeCompare(String(b), undefined, { numeric: true });
    return order.descending ? -sign : sign;
  });
  element("workers").tBodies[0].replaceChildren(...rows.map((cells) => {
    const row = make("tr");
    cells.forEach((cell, index) => {
      const made = make("td", index === 0 ? undefined : BYTES.has(index) ? (cell ? bytes(cell) : "none") : String(cell));
      if (index === 0) {
        const link = make("a", cell);
        link.href = `info/worker/${encodeURIComponent(cell)}.html`;
        made.append(link);
      }
      row.append(made);
    });
    return row;
  }));
}

function drawHead() {
  element("workers").tHead.rows[0].replaceChildren(...COLUMNS.map((name, index) => {
    const cell = make("th");
    cell.setAttribute("aria-sort", order.column === index ? (order.descending ? "descending" : "ascending") : "none");
    const button = make("button", name);
    button.addEventListener("click", () => {
      order = { column: index, descending: order.column === index ? !order.descending : false };
      drawHead();
      if (latest) drawWorkers(latest);
    });
    cell.append(button);
    return cell;
  }));
}

function draw(data) {
  latest = data;
  drawFigures(data);
  drawMemory(data);
  drawProgress(data);
  drawWorkers(data);
}

drawHead();
const stream = new EventSource("stream/status");
stream.addEventListener("message", (event) => {
  element("connection").textContent = "live";
  if (!document.hidden) draw(JSON.parse(event.data));
});
stream.addEventListener("error", () => { element("connection").textContent = "connection lost; trying again"; });
