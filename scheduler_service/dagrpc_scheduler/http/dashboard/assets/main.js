// Puts a page together: navigation, panels, the stream, and the switch between light and dark.

import { button, make } from "./dom.js";
import { makers } from "./panels.js";
import { Store } from "./store.js";
import { openTask } from "./task_dialog.js";

const table = JSON.parse(document.getElementById("table").textContent);
const THEMES = ["system", "light", "dark"];
const main = make("main", { id: "main" });
const connection = make("span", { id: "connection", role: "status" }, "");
let store;
let shown = [];

// In a frame of another site, browsers may refuse to remember anything.
let theme = "system";
try { theme = localStorage.getItem("dagrpc-theme") ?? theme; } catch { /* the system's theme it is */ }

function setTheme(next) {
  theme = next;
  try { localStorage.setItem("dagrpc-theme", theme); } catch { /* until the page is left */ }
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  themeButton.textContent = `Theme: ${theme}`;
  shown.forEach((panel) => panel.draw?.());
}

const nextTheme = () => THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
const themeButton = button("Theme", "Switch between light, dark and the system's theme", () => setTheme(nextTheme()));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => shown.forEach((panel) => panel.draw?.()));

/** Return the entry of the table for an address of the browser. */
function pageOf(location) {
  const name = location.pathname.split("/").pop();
  return table.pages.find((page) => page.name === name) ?? table.pages[0];
}

function navigate(address) {
  // The document of one panel has no others.
  if (table.panel) { location.assign(address); return; }
  history.pushState({}, "", address);
  openPage();
  main.focus();
}

const context = {
  openWorker: (worker) => navigate(`workers?worker=${encodeURIComponent(worker)}`),
  openTask: (key) => openTask(key, context),
  navigate,
  parameter: (name) => new URLSearchParams(location.search).get(name),
};

const feedsOf = (name) => [...table.panels[name].feeds, ...(makers[name].alsoReads?.(context) ?? [])];

function openPage() {
  const page = table.panel ? { title: table.panels[table.panel].title, panels: [table.panel] } : pageOf(location);
  shown.forEach((panel) => panel.close?.());
  store?.close();
  document.title = `dagrpc: ${page.title}`;
  const feeds = [...new Set(page.panels.flatMap(feedsOf))];
  store = new Store(feeds, (names) => shown.forEach((panel) => {
    if (panel.feeds.some((name) => names.has(name))) panel.draw?.();
  }), (state) => { connection.textContent = state; });
  if (!feeds.length) connection.textContent = "";
  context.store = store;
  main.replaceChildren(...(table.panel ? [] : [make("h1", {}, page.title)]));
  main.className = table.panel ? "single" : `page-${page.name}`;
  shown = page.panels.map((name) => makePanel(name));
  for (const link of document.querySelectorAll("nav a")) {
    if (link.dataset.page === page.name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

function makePanel(name) {
  const { title } = table.panels[name];
  const host = make("div", { class: "body" });
  const alone = make("a", { href: `individual-${name}`, class: "alone", title: `${title} on a page of its own`, "aria-label": `${title} on a page of its own` }, "↗");
  main.append(make("section", { class: `panel panel-${name}`, "aria-label": title },
    make("h2", {}, title, table.panel ? undefined : alone), host));
  const panel = makers[name](host, context) ?? {};
  panel.feeds = feedsOf(name);
  return panel;
}

function makeHead() {
  const links = table.pages.map((page) => make("li", {}, make("a", {
    href: page.name, "data-page": page.name,
    click: (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      navigate(page.name);
    },
  }, page.title)));
  return [
    make("a", { class: "skip", href: "#main" }, "Skip to the content"),
    make("nav", { "aria-label": "Pages" }, make("ul", {}, ...links), make("div", { class: "tools" }, connection, themeButton)),
  ];
}

main.tabIndex = -1;
document.body.append(...(table.panel ? [] : makeHead()), main);
setTheme(theme);
addEventListener("popstate", openPage);
openPage();
