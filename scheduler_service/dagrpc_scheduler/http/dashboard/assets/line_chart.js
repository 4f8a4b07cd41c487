// Lines or stacked areas over time, for the last measurements that this page has seen.

import { Canvas } from "./canvas.js";
import { themed } from "./colors.js";
import { clock } from "./format.js";

const LONGEST = 3_600;

export class LineChart {
  /** `series` are [name, colour]; with `stacked`, areas are put on each other. */
  constructor(host, { label, series, format, stacked = false, height = 180 }) {
    this.series = series;
    this.format = format;
    this.stacked = stacked;
    this.points = [];
    this.label = label;
    this.canvas = new Canvas(host, { label, height, draw: (...all) => this.paint(...all), hit: (x) => this.hit(x) });
  }

  /** Put earlier points, as [time, values], before those that there are. */
  before(points) {
    const first = this.points[0]?.[0] ?? Infinity;
    this.points = [...points.filter(([time]) => time < first), ...this.points];
    this.canvas.draw();
  }

  add(time, values) {
    this.points.push([time, values]);
    if (this.points.length > LONGEST) this.points.splice(0, LONGEST / 10);
    this.canvas.draw();
  }

  paint(context, width, height) {
    const [left, bottom] = [70, height - 20];
    if (this.points.length < 2) return;
    const [from, to] = [this.points[0][0], this.points.at(-1)[0]];
    this.canvas.element.setAttribute("aria-label", `${this.label}, from ${clock(from)} to ${clock(to)}`);
    const total = (values) => (this.stacked ? values.reduce((sum, value) => sum + value, 0) : Math.max(...values));
    const top = Math.max(...this.points.map(([, values]) => total(values)), 1e-9) * 1.1;
    this.x = (time) => left + ((time - from) / Math.max(to - from, 1e-9)) * (width - left);
    const y = (value) => bottom - (value / top) * (bottom - 6);
    context.strokeStyle = themed("line");
    context.fillStyle = themed("soft");
    context.textAlign = "right";
    for (const share of [0, 0.5, 0.9]) {
      context.beginPath();
      context.moveTo(left, y(top * share));
      context.lineTo(width, y(top * share));
      context.stroke();
      context.fillText(this.format(top * share), left - 6, y(top * share));
    }
    context.textAlign = "left";
    context.fillText(clock(from), left, bottom + 11);
    context.textAlign = "right";
    context.fillText(clock(to), width, bottom + 11);
    const base = this.points.map(() => 0);
    this.series.forEach(([, color], index) => {
      const tops = this.points.map(([, values], position) => (this.stacked ? base[position] : 0) + values[index]);
      context.beginPath();
      this.points.forEach(([time], position) => context.lineTo(this.x(time), y(tops[position])));
      if (this.stacked) {
        for (let position = this.points.length - 1; position >= 0; position -= 1) context.lineTo(this.x(this.points[position][0]), y(base[position]));
        context.fillStyle = color;
        context.fill();
        tops.forEach((value, position) => { base[position] = value; });
      } else {
        context.strokeStyle = color;
        context.lineWidth = 2;
        context.stroke();
        context.lineWidth = 1;
      }
    });
  }

  hit(x) {
    if (!this.x || this.points.length < 2) return undefined;
    const [time, values] = this.points.reduce((best, point) => (Math.abs(this.x(point[0]) - x) < Math.abs(this.x(best[0]) - x) ? point : best));
    return { lines: [clock(time), ...this.series.map(([name], index) => `${name}: ${this.format(values[index])}`)] };
  }

  close() { this.canvas.close(); }
}
