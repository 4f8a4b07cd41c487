// Tasks that failed: why, where, and what to do about it.

import { count } from "./format.js";
import { make, setText } from "./dom.js";

export function errorList(host, context) {
  const { store } = context;
  const shown = new Map();
  const note = make("p", { role: "status" });
  const list = make("div");
  host.append(note, list);
  return {
    draw() {
      const rows = store.table("errors");
      const present = [...rows.values()].filter((row) => !row.former);
      const blamed = present.reduce((sum, row) => sum + row.blamed, 0);
      const failed = present.length === 1 ? "One task failed" : `${count(present.length)} tasks failed`;
      const now = !present.length ? "No task has failed." : blamed ? `${failed}, and ${count(blamed)} more because of ${present.length === 1 ? "it" : "them"}.` : `${failed}.`;
      const former = rows.size - present.length;
      setText(note, former ? `${now} ${count(former)} failed before, and were released or run again.` : now);
      for (const [key, element] of shown) if (!rows.has(key) || String(rows.get(key).former) !== element.dataset.former) { element.remove(); shown.delete(key); }
      for (const [key, row] of rows) {
        if (shown.has(key)) continue;
        const element = describe(key, row, context);
        element.open = rows.size === 1;
        shown.set(key, element);
        list.prepend(element);
      }
    },
  };
}

function describe(key, row, context) {
  const parts = [
    make("p", {}, make("a", { href: "#", click: (event) => { event.preventDefault(); context.openTask(key); } }, "The task and its story"),
      row.worker ? make("span", {}, " · on ", make("a", { href: "#", click: (event) => { event.preventDefault(); context.openWorker(row.worker); } }, row.worker)) : "",
      row.blamed ? ` · ${count(row.blamed)} more tasks failed because of it` : ""),
  ];
  if (row.deaths) parts.push(make("p", {}, `${count(row.deaths)} workers died while they ran it. The last one: ${row.exit || row.loss || "nobody knows why"}.`));
  if (row.log.length) parts.push(make("pre", {}, row.log.join("\n")));
  parts.push(make("pre", {}, row.traceback || row.message));
  if (row.former) parts.push(make("p", { class: "soft" }, "It was released or run again since."));
  else parts.push(make("p", { class: "soft" }, "Run it again, or run it here to debug it:"),
    make("pre", { class: "code" }, `client.retry([Future(${row.literal})])\nclient.recreate_error_locally(Future(${row.literal}))`));
  return make("details", { class: "error", "data-key": key, "data-former": String(row.former) }, make("summary", {}, make("b", {}, row.prefix), ` ${row.type.split(".").pop()}: ${row.message.split("\n")[0].slice(0, 160)}`), ...parts);
}
