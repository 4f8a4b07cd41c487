// A canvas that follows the size of its place and the resolution of the screen, with a tooltip.

import { make } from "./dom.js";

const tooltip = make("div", { class: "tooltip", role: "tooltip", hidden: true });

export function showTooltip(event, lines) {
  if (!tooltip.isConnected) document.body.append(tooltip);
  tooltip.hidden = !lines.length;
  if (!lines.length) return;
  tooltip.replaceChildren(...lines.map((line) => make("div", {}, line)));
  const { offsetWidth: width, offsetHeight: height } = tooltip;
  tooltip.style.left = `${Math.max(4, Math.min(event.clientX + 14, innerWidth - width - 8))}px`;
  tooltip.style.top = `${Math.max(4, event.clientY + 16 + height > innerHeight ? event.clientY - height - 10 : event.clientY + 16)}px`;
}

export const hideTooltip = () => { tooltip.hidden = true; };

export class Canvas {
  /** `draw(context, width, height)` draws everything; `hit(x, y)` returns {lines, open} of what is at a point. */
  constructor(host, { label, height, draw, hit, focusable = false }) {
    this.element = make("canvas", { role: "img", "aria-label": label, tabindex: focusable ? 0 : undefined });
    this.paint = draw;
    this.frame = 0;
    this.height = height;
    host.append(this.element);
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.element);
    if (hit) {
      this.element.addEventListener("pointermove", (event) => {
        const found = event.buttons ? undefined : hit(event.offsetX, event.offsetY);
        this.element.style.cursor = found?.open ? "pointer" : "";
        showTooltip(event, found?.lines ?? []);
      });
      this.element.addEventListener("pointerleave", hideTooltip);
      this.element.addEventListener("click", (event) => {
        if (this.dragged) { this.dragged = false; return; }
        hideTooltip();
        hit(event.offsetX, event.offsetY)?.open?.();
      });
    }
  }

  setHeight(height) { this.height = height; }

  /** Draw with the next frame. */
  draw() {
    if (!this.frame) this.frame = requestAnimationFrame(() => { this.frame = 0; this.now(); });
  }

  now() {
    const { element } = this;
    element.style.height = `${this.height}px`;
    const [width, ratio] = [element.clientWidth, devicePixelRatio || 1];
    if (!width) return;
    const [across, down] = [Math.round(width * ratio), Math.round(this.height * ratio)];
    if (element.width !== across || element.height !== down) { element.width = across; element.height = down; }
    const context = element.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, this.height);
    context.font = "12px system-ui, sans-serif";
    context.textBaseline = "middle";
    this.paint(context, width, this.height);
  }

  close() { cancelAnimationFrame(this.frame); this.observer.disconnect(); hideTooltip(); }
}

/** Return a text, shortened to a width. */
export function fitted(context, text, width) {
  if (context.measureText(text).width <= width) return text;
  const letters = Math.floor((text.length * width) / context.measureText(text).width) - 1;
  return letters > 1 ? `${text.slice(0, letters)}…` : "";
}
