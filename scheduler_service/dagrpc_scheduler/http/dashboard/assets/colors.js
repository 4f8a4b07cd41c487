// Colours: of prefixes of tasks, and of states. All are told apart without telling red from green.

// Steps of the viridis scale, which grows lighter from end to end, in an order in which neighbours differ.
const PREFIXES = [
  "#2d708e", "#86d549", "#433e85", "#2ab07f", "#c2df23", "#38588c", "#52c569", "#482173", "#1e9b8a", "#fde725", "#25858e",
];

export const ACTIONS = { transfer: "#d62728", deserialize: "#8c8c8c" };

export const KINDS = {
  managed: "#2d708e", unmanaged_old: "#6ca6cd", unmanaged_recent: "#e69f00", spilled: "#8c8c8c",
};

const known = new Map();

/** Return the colour of a prefix: the same on every page and for every viewer. */
export function prefixColor(prefix) {
  let color = known.get(prefix);
  if (!color) {
    let hash = 2166136261;
    for (let index = 0; index < prefix.length; index += 1) {
      hash = Math.imul(hash ^ prefix.charCodeAt(index), 16777619);
    }
    color = PREFIXES[(hash >>> 0) % PREFIXES.length];
    known.set(prefix, color);
  }
  return color;
}

/** Return black or white, whichever is readable on a colour. */
export function inkOn(color) {
  const [red, green, blue] = [1, 3, 5].map((start) => parseInt(color.slice(start, start + 2), 16));
  return red * 0.299 + green * 0.587 + blue * 0.114 > 140 ? "#111" : "#fff";
}

/** Return a colour of the style sheet, such as that of text in the present theme. */
export const themed = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

export const STATES = ["memory", "processing", "queued", "waiting", "no-worker", "erred", "released"];

export const stateColor = (state) => themed(`state-${state}`);
