// Runs the script of a page of dagrpc's with stand-ins for the browser, and prints what it drew as JSON.
//
//   node page_in_node.js page.html
"use strict";
const fs = require("fs");
const vm = require("vm");

const html = fs.readFileSync(process.argv[2], "utf8");
const figures = [...html.matchAll(/data-kind="(\w+)"><script type="application\/json">([\s\S]*?)<\/script>/g)];
const [, script] = html.match(/<script>\n([\s\S]*?)<\/script>\n<\/body>/);

let drawn = [];
const texts = [];
const listeners = [];
const context = new Proxy({}, {
  get: (target, name) => target[name] ?? ((...args) => drawn.push([String(name), ...args, target.fillStyle])),
  set: (target, name, value) => { target[name] = value; return true; },
});
const element = (tag) => ({
  tag, style: {}, dataset: {}, classList: { toggle() {} }, children: [], offsetWidth: 10, offsetHeight: 10,
  clientWidth: 1000,
  appendChild(child) { this.children.push(child); return child; },
  addEventListener(name, callback) { listeners.push([name, callback]); },
  getContext: () => context,
  set textContent(text) { this.text = text; texts.push(String(text)); },
  get textContent() { return this.text; },
});
const roots = figures.map(([, kind, text]) => {
  const root = element("div");
  root.dataset.kind = kind;
  root.querySelector = () => ({ textContent: text });
  return root;
});
const found = [];
const document = {
  body: element("body"), createElement: element,
  querySelectorAll: () => ({
    * [Symbol.iterator]() {
      for (const root of roots) {
        drawn = [];
        texts.length = 0;
        yield root;
        // What users do, too.
        const first = drawn.length;
        for (const name of ["mousedown", "mousemove", "mouseup", "click", "wheel", "dblclick"]) {
          for (const [kind, callback] of listeners) {
            if (kind === name) {
              callback({ offsetX: 300, offsetY: 5, clientX: 1, clientY: 1, deltaY: 1, ctrlKey: true, preventDefault() {} });
            }
          }
        }
        found.push({ kind: root.dataset.kind, drawn: drawn.slice(0, first), texts: texts.slice() });
        listeners.length = 0;
      }
    },
  }),
};
const window = { devicePixelRatio: 1, innerWidth: 1000, innerHeight: 800, addEventListener(name, f) { listeners.push([name, f]); } };
vm.runInNewContext(script, { document, window, JSON, Math, console });
process.stdout.write(JSON.stringify(found));
