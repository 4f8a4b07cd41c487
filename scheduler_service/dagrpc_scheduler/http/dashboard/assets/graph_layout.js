// Places the nodes of a graph without circles: what is needed stands left of what needs it.

/** Return nodes with `x` (their level) and `y` (their place in the level), and the edges between them. */
export function layOut(table) {
  const nodes = new Map([...table].map(([name, row]) => [name, { name, row, needs: [], level: 0, x: 0, y: 0 }]));
  const dependents = new Map();
  const missing = new Map();
  for (const node of nodes.values()) {
    node.needs = node.row.needs.map((name) => nodes.get(name)).filter((other) => other && other !== node);
    missing.set(node, node.needs.length);
    for (const other of node.needs) (dependents.get(other) ?? dependents.set(other, []).get(other)).push(node);
  }
  const ready = [...nodes.values()].filter((node) => !node.needs.length);
  for (let index = 0; index < ready.length; index += 1) {
    for (const other of dependents.get(ready[index]) ?? []) {
      other.level = Math.max(other.level, ready[index].level + 1);
      missing.set(other, missing.get(other) - 1);
      if (!missing.get(other)) ready.push(other);
    }
  }
  return { nodes: place([...nodes.values()]), edges: [...nodes.values()].flatMap((node) => node.needs.map((other) => [other, node])) };
}

/** Order each level by where the needed nodes stand, so that few edges cross. */
function place(nodes) {
  const levels = [];
  for (const node of nodes) (levels[node.level] ??= []).push(node);
  const tallest = Math.max(1, ...levels.map((level) => level.length));
  levels.forEach((level, x) => {
    const wish = (node) => (node.needs.length ? node.needs.reduce((sum, other) => sum + other.y, 0) / node.needs.length : 0);
    if (x) level.sort((a, b) => wish(a) - wish(b));
    level.forEach((node, index) => { node.x = x; node.y = ((index + 0.5) / level.length) * tallest; });
  });
  return nodes;
}
