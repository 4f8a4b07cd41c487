// A window about one task: what it is, where its result is, what it needs, and its story.

import { bytes, clock, count } from "./format.js";
import { button, make } from "./dom.js";
import { fetchDetails } from "./details.js";

const dialog = make("dialog", { class: "details" });
dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });

/** Show a task. */
export async function openTask(key, context) {
  if (!dialog.isConnected) document.body.append(dialog);
  const body = make("div", {}, "…");
  dialog.replaceChildren(make("h2", {}, key), button("Close", "Close", () => dialog.close()), body);
  if (!dialog.open) dialog.showModal();
  try {
    body.replaceChildren(...describe(await fetchDetails("task", { key }), context));
  } catch (error) {
    body.replaceChildren(make("p", {}, error.message));
  }
}

function describe(task, context) {
  const parts = [];
  if (!task.known) parts.push(make("p", {}, "The scheduler has forgotten this task: nobody wants its result any more."));
  else parts.push(facts(task, context), ...neighbours("Needs", task.dependencies, task.dependencies_count, context), ...neighbours("Needed by", task.dependents, task.dependents_count, context));
  if (task.failure) {
    parts.push(make("h3", {}, `Failed: ${task.failure.type}`), make("pre", {}, task.failure.traceback || task.failure.message));
  }
  parts.push(make("h3", {}, "Story"), story(task.story, context));
  parts.push(make("h3", {}, "Log"), log(task.key, context));
  if (task.processing_on) {
    const stack = make("pre", { hidden: true });
    parts.push(button("Call stack", "Where the task is now", async () => {
      const { stacks } = await fetchDetails("stacks", { key: task.key });
      stack.hidden = false;
      stack.textContent = stacks.map(([, frames]) => frames.join("\n")).join("\n") || "The task does not run.";
    }), stack);
  }
  return parts;
}

/** Return the place of the lines about a task, which are asked for when it is made. */
function log(key, context) {
  const place = make("div", {}, "…");
  fetchDetails("task-log", { key }).then(({ lines }) => {
    if (!lines.length) { place.replaceChildren(make("p", { class: "soft" }, "Nothing was logged about it.")); return; }
    const rows = lines.map(([source, level, text]) => make("div", { class: `line ${level.toLowerCase()}` }, source === "scheduler" ? source : workerLink(source, context), ` ${text}`));
    place.replaceChildren(make("div", { class: "lines", tabindex: 0 }, ...rows));
  }, (error) => place.replaceChildren(make("p", {}, error.message)));
  return place;
}

const workerLink = (address, context) => make("a", { href: `workers?worker=${encodeURIComponent(address)}`, click: (event) => { event.preventDefault(); dialog.close(); context.openWorker(address); } }, address);

const taskLink = (key, context) => make("a", { href: "#", click: (event) => { event.preventDefault(); openTask(key, context); } }, key);

function facts(task, context) {
  const where = task.workers.length ? task.workers : task.processing_on ? [task.processing_on] : [];
  const rows = [
    ["State", task.state], ["Prefix", task.prefix], ["Type", task.type_name || "not known"],
    ["Size", task.nbytes ? bytes(task.nbytes) : "not known"], ["Wanted by", task.wanted_by.join(", ") || "no client"],
    ["Retries left", count(task.retries)], ["Workers lost", count(task.suspicious)],
  ];
  const list = make("dl", { class: "facts" }, ...rows.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value))));
  list.append(make("div", {}, make("dt", {}, task.workers.length ? "Held by" : "Runs on"), make("dd", {}, ...(where.length ? where.flatMap((worker) => [workerLink(worker, context), " "]) : ["no worker"]))));
  return list;
}

function neighbours(title, keys, total, context) {
  if (!total) return [];
  const rest = total > keys.length ? make("li", {}, `and ${total - keys.length} more`) : undefined;
  return [make("h3", {}, `${title} (${count(total)})`), make("ul", { class: "keys" }, ...keys.map((key) => make("li", {}, taskLink(key, context))), rest)];
}

function story(entries, context) {
  if (!entries.length) return make("p", { class: "soft" }, "Its transitions are no longer kept.");
  const rows = entries.map(([time, start, finish, worker, stimulus]) => make("tr", {}, make("td", {}, clock(time, 3)), make("td", {}, `${start} → ${finish}`), make("td", {}, worker ? workerLink(worker, context) : ""), make("td", {}, stimulus)));
  return make("div", { class: "scroller" }, make("table", {}, make("thead", {}, make("tr", {}, ...["Time", "Transition", "Worker", "Cause"].map((name) => make("th", {}, name)))), make("tbody", {}, ...rows)));
}
