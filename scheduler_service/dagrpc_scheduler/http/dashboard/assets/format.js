// Writes numbers, sizes and times for people.

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

export function bytes(count) {
  let unit = 0;
  while (Math.abs(count) >= 1024 && unit < UNITS.length - 1) { count /= 1024; unit += 1; }
  return `${count.toFixed(unit ? 1 : 0)} ${UNITS[unit]}`;
}

export function seconds(value) {
  if (!(value >= 0)) return "–";
  if (value === 0) return "0 s";
  if (value < 1e-3) return `${(value * 1e6).toFixed(0)} µs`;
  if (value < 1) return `${(value * 1e3).toPrecision(3)} ms`;
  if (value < 120) return `${value.toPrecision(3)} s`;
  if (value < 7200) return `${(value / 60).toFixed(1)} min`;
  return `${(value / 3600).toFixed(1)} h`;
}

export const count = (value) => Number(value).toLocaleString("en-US");

export const percent = (value) => `${Number(value).toFixed(0)} %`;

/** Return the time of day of seconds since the epoch. */
export function clock(moment, digits = 0) {
  const date = new Date(moment * 1000);
  const text = date.toTimeString().slice(0, 8);
  return digits ? `${text}.${String(date.getMilliseconds()).padStart(3, "0").slice(0, digits)}` : text;
}

/** Return an address without its scheme. */
export const place = (address) => address.replace(/^[a-z+]+:\/\//, "");
