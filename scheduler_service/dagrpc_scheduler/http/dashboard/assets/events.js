// Events by topic and the scheduler's log, live and filtered.

import { button, make, searchField, select, setText } from "./dom.js";
import { clock, count } from "./format.js";

const MOST = 400;
const LEVELS = ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"];

/** Fill a place with lines, the latest first, that are filtered and can be held still. */
function lineList(host, { label, more, lines }) {
  let [filter, held] = ["", false];
  const note = make("span", { class: "soft", role: "status" });
  const list = make("div", { class: "lines", tabindex: 0, role: "log", "aria-label": label, "aria-live": "off" });
  const hold = button("Hold", "Stop and go on following", () => { held = !held; hold.setAttribute("aria-pressed", held); show(); });
  host.append(make("div", { class: "controls" }, searchField("Filter", (text) => { filter = text.toLowerCase(); show(); }), ...more(() => show()), hold, note), list);

  function show() {
    if (held) return;
    const found = lines().filter(({ text }) => !filter || text.toLowerCase().includes(filter));
    setText(note, found.length > MOST ? `the last ${MOST} of ${count(found.length)}` : count(found.length));
    list.replaceChildren(...found.slice(-MOST).reverse().map(({ text, kind }) => make("div", { class: `line ${kind}` }, text)));
  }

  return { draw: show };
}

export function eventList(host, { store }) {
  let chosen = "";
  const known = new Set();
  const { element, field } = select("Topic", [["", "all topics"]], (value) => { chosen = value; list.draw(); });
  const list = lineList(host, {
    label: "Events",
    more: () => [element],
    lines: () => store.tail("events").filter(([, topic]) => !chosen || topic === chosen).map(([time, topic, text]) => ({ text: `${clock(time, 3)}  ${topic}  ${text}`, kind: "" })),
  });
  return {
    draw() {
      for (const [, topic] of store.tail("events")) {
        if (known.has(topic) || known.size > 500) continue;
        known.add(topic);
        field.append(make("option", { value: topic }, topic));
      }
      list.draw();
    },
  };
}

export function logList(host, { store }) {
  let least = 0;
  const { element } = select("At least", LEVELS.map((level, index) => [String(index), level.toLowerCase()]), (value) => { least = Number(value); list.draw(); });
  const list = lineList(host, {
    label: "Log of the scheduler",
    more: () => [element],
    lines: () => store.tail("logs").filter(([level]) => LEVELS.indexOf(level) >= least).map(([level, text]) => ({ text, kind: level.toLowerCase() })),
  });
  return list;
}
