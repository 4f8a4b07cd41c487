// A range of time that the user moves and zooms, by pointer, wheel, keys and buttons, or that follows the present.

import { button, make, select } from "./dom.js";
import { clock } from "./format.js";
import { themed } from "./colors.js";

const SPANS = [["10", "10 s"], ["30", "30 s"], ["60", "1 min"], ["300", "5 min"], ["1800", "30 min"]];
const SHORTEST = 1e-4;

export class TimeAxis {
  /** `extent()` returns the earliest and the latest time; `now()` the present; `changed()` is called after each move. */
  constructor({ extent, now, changed, left }) {
    this.extent = extent;
    this.now = now;
    this.changed = changed;
    this.left = left;
    this.mode = "live";
    this.span = 30;
    this.range = [0, 1];
    this.controls = this.makeControls();
  }

  makeControls() {
    const { element, field } = select("Last", SPANS, (value) => { this.span = Number(value); this.setMode("live"); });
    field.value = String(this.span);
    this.liveButton = button("Live", "Follow the present", () => this.setMode("live"));
    this.allButton = button("All", "Show everything that is kept", () => this.setMode("all"));
    const bar = make("div", { class: "controls" },
      this.liveButton, element, this.allButton,
      button("←", "Earlier", () => this.move(-0.25)), button("→", "Later", () => this.move(0.25)),
      button("+", "Zoom in", () => this.zoom(0.5)), button("−", "Zoom out", () => this.zoom(2)));
    this.mark();
    return bar;
  }

  mark() {
    this.liveButton.setAttribute("aria-pressed", this.mode === "live");
    this.allButton.setAttribute("aria-pressed", this.mode === "all");
  }

  setMode(mode) { this.mode = mode; this.mark(); this.changed(); }

  /** Return the range to draw. */
  current() {
    if (this.mode === "live") this.range = [this.now() - this.span, this.now()];
    if (this.mode === "all") {
      const [from, to] = this.extent();
      const margin = Math.max((to - from) * 0.01, SHORTEST);
      this.range = [from - margin, to + margin];
    }
    return this.range;
  }

  move(share) {
    const [from, to] = this.current();
    this.range = [from + (to - from) * share, to + (to - from) * share];
    this.setMode("free");
  }

  zoom(factor, center = 0.5) {
    const [from, to] = this.current();
    const middle = from + (to - from) * center;
    const span = Math.max((to - from) * factor, SHORTEST);
    this.range = [middle - span * center, middle + span * (1 - center)];
    this.setMode("free");
  }

  /** Let the user move and zoom on a canvas. */
  attach(canvas) {
    const { element } = canvas;
    let last;
    element.addEventListener("pointerdown", (event) => { last = event.clientX; canvas.dragged = false; });
    element.addEventListener("pointermove", (event) => {
      if (!event.buttons || last === undefined) return;
      const moved = event.clientX - last;
      if (!canvas.dragged && Math.abs(moved) < 4) return;
      canvas.dragged = true;
      element.setPointerCapture(event.pointerId);
      last = event.clientX;
      this.move(-moved / Math.max(element.clientWidth - this.left, 1));
    });
    element.addEventListener("pointerup", () => { last = undefined; });
    element.addEventListener("wheel", (event) => {
      // Without a key, the wheel scrolls the page unless the canvas has the focus.
      if (!(event.ctrlKey || event.shiftKey || document.activeElement === element)) return;
      event.preventDefault();
      const center = (event.offsetX - this.left) / Math.max(element.clientWidth - this.left, 1);
      this.zoom(Math.exp((event.deltaY || event.deltaX) / 400), Math.min(Math.max(center, 0), 1));
    }, { passive: false });
    const keys = {
      ArrowLeft: () => this.move(-0.1), ArrowRight: () => this.move(0.1), "+": () => this.zoom(0.5), "=": () => this.zoom(0.5),
      "-": () => this.zoom(2), 0: () => this.setMode("all"), l: () => this.setMode("live"),
    };
    element.addEventListener("keydown", (event) => {
      if (!keys[event.key] || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      keys[event.key]();
    });
  }

  /** Draw the ticks below a plot; return a function from time to pixels. */
  draw(context, width, bottom, origin) {
    const [from, to] = this.current();
    const scale = (width - this.left) / (to - from);
    const step = niceStep((to - from) / Math.max((width - this.left) / 110, 1));
    const digits = step < 1 ? Math.min(3, Math.ceil(-Math.log10(step))) : 0;
    context.fillStyle = themed("soft");
    context.strokeStyle = themed("line");
    context.textAlign = "center";
    for (let time = Math.ceil((from + origin) / step) * step - origin; time <= to; time += step) {
      const x = this.left + (time - from) * scale;
      context.beginPath();
      context.moveTo(x, 0);
      context.lineTo(x, bottom);
      context.stroke();
      if (x > this.left + 30 && x < width - 30) context.fillText(clock(time + origin + step / 1000, digits), x, bottom + 10);
    }
    return (time) => this.left + (time - from) * scale;
  }
}

function niceStep(least) {
  const power = 10 ** Math.floor(Math.log10(least));
  if (least >= 10) return [15, 30, 60, 300, 600, 1800, 3600, 21600].find((step) => step >= least) ?? 86400;
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= least);
}
