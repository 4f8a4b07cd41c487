"use strict";
(() => {
  // Text goes into the page as text only, never as markup.
  const make = (parent, tag, style, text) => {
    const element = parent.appendChild(document.createElement(tag));
    if (style) element.className = style;
    if (text !== undefined) element.textContent = text;
    return element;
  };
  const seconds = (value) => {
    const size = Math.abs(value);
    if (size >= 100) return value.toFixed(0) + " s";
    if (size >= 1) return value.toFixed(2) + " s";
    if (size >= 1e-3) return (value * 1e3).toFixed(size >= 0.1 ? 0 : 2) + " ms";
    return (value * 1e6).toFixed(0) + " µs";
  };
  const bytes = (value) => {
    const units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let unit = 0;
    while (Math.abs(value) >= 1024 && unit < units.length - 1) { value /= 1024; unit += 1; }
    return value.toFixed(unit && value < 100 ? 1 : 0) + " " + units[unit];
  };
  const plain = (value) => String(Math.round(value * 100) / 100);
  const formats = { bytes, seconds, rate: (value) => bytes(value) + "/s", percent: (value) => plain(value) + " %", plain };
  // Neighbours in the list are far apart on the circle of hues.
  const color = (index) => `hsl(${(index * 137.508 + 205) % 360} ${55 + (index % 3) * 12}% ${52 + (index % 2) * 10}%)`;

  const tip = make(document.body, "div", "tip");
  tip.hidden = true;
  const showTip = (event, text) => {
    tip.hidden = !text;
    if (!text) return;
    tip.textContent = text;
    tip.style.left = Math.min(event.clientX + 14, window.innerWidth - tip.offsetWidth - 8) + "px";
    tip.style.top = Math.min(event.clientY + 14, window.innerHeight - tip.offsetHeight - 8) + "px";
  };

  const canvasOf = (root, height, paint) => {
    const canvas = make(root, "canvas");
    canvas.style.height = height + "px";
    const repaint = () => {
      const scale = window.devicePixelRatio || 1;
      const width = canvas.clientWidth;
      canvas.width = Math.max(1, Math.round(width * scale));
      canvas.height = Math.round(height * scale);
      const context = canvas.getContext("2d");
      context.setTransform(scale, 0, 0, scale, 0, 0);
      context.clearRect(0, 0, width, height);
      context.font = "11px system-ui, sans-serif";
      paint(context, width, height);
    };
    window.addEventListener("resize", repaint);
    canvas.addEventListener("mouseleave", (event) => showTip(event, ""));
    return { canvas, repaint };
  };

  const steps = (low, high, count) => {
    const raw = (high - low) / count || 1;
    const power = 10 ** Math.floor(Math.log10(raw));
    const step = power * [1, 2, 5, 10].find((factor) => factor * power >= raw);
    const found = [];
    for (let value = Math.ceil(low / step) * step; value <= high + step * 1e-9; value += step) found.push(value);
    return found;
  };

  // Drag: zoom into a span. Shift and drag: move. Control and wheel: zoom. Double click: everything.
  const zoomable = (view, left, canvas, repaint) => {
    const all = [view.from, view.to];
    const at = (event) => {
      const width = canvas.clientWidth - left;
      return view.from + ((event.offsetX - left) / width) * (view.to - view.from);
    };
    let begun = null;
    canvas.addEventListener("mousedown", (event) => {
      begun = { at: at(event), from: view.from, to: view.to, x: event.offsetX, move: event.shiftKey };
    });
    canvas.addEventListener("mousemove", (event) => {
      if (!begun) return;
      if (begun.move) {
        const shift = ((begun.x - event.offsetX) / (canvas.clientWidth - left)) * (begun.to - begun.from);
        view.from = begun.from + shift;
        view.to = begun.to + shift;
      } else {
        view.selection = [begun.at, at(event)];
      }
      repaint();
    });
    window.addEventListener("mouseup", () => {
      const selection = view.selection;
      view.selection = null;
      if (begun && selection && Math.abs(selection[1] - selection[0]) > (view.to - view.from) / 300) {
        view.from = Math.min(...selection);
        view.to = Math.max(...selection);
      }
      if (begun) repaint();
      begun = null;
    });
    canvas.addEventListener("dblclick", () => {
      [view.from, view.to] = all;
      repaint();
    });
    canvas.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.shiftKey) return;
      event.preventDefault();
      const factor = (event.deltaY || event.deltaX) > 0 ? 1.25 : 0.8;
      const middle = at(event);
      view.from = middle - (middle - view.from) * factor;
      view.to = middle + (view.to - middle) * factor;
      repaint();
    }, { passive: false });
    return at;
  };

  const paintTimes = (context, view, left, width, height) => {
    context.strokeStyle = "#eee";
    context.fillStyle = "#555";
    context.textAlign = "center";
    for (const value of steps(view.from, view.to, 10)) {
      const x = left + ((value - view.from) / (view.to - view.from)) * (width - left);
      if (x < left) continue;
      context.beginPath();
      context.moveTo(x, 0);
      context.lineTo(x, height - 18);
      context.stroke();
      context.fillText(seconds(value), x, height - 5);
    }
    if (view.selection) {
      const [first, second] = view.selection.map(
        (value) => left + ((value - view.from) / (view.to - view.from)) * (width - left));
      context.fillStyle = "#06c3";
      context.fillRect(Math.min(first, second), 0, Math.abs(second - first), height - 18);
    }
  };

  const taskStream = (root, data) => {
    if (!data.tasks.length) { make(root, "p", "hint", "No tasks ran."); return; }
    const left = 150;
    const rowHeight = Math.max(4, Math.min(20, Math.floor(900 / data.rows.length)));
    const hidden = new Set();
    const rows = data.rows.map(() => []);
    let last = 0;
    data.tasks.forEach((task) => {
      rows[task[0]].push(task);
      task[6].forEach((activity) => { last = Math.max(last, activity[1] + activity[2]); });
    });
    const view = { from: 0, to: last || 1e-3, selection: null };
    const fills = { 1: "rgba(214, 39, 40, .75)", 2: "rgba(120, 120, 120, .8)" };
    const height = data.rows.length * rowHeight + 22;
    const { canvas, repaint } = canvasOf(root, height, (context, width) => {
      paintTimes(context, view, left, width, height);
      const scale = (width - left) / (view.to - view.from);
      context.save();
      context.beginPath();
      context.rect(left, 0, width - left, height);
      context.clip();
      rows.forEach((tasks, row) => {
        const y = row * rowHeight;
        for (const task of tasks) {
          if (hidden.has(task[1])) continue;
          for (const [action, start, duration] of task[6]) {
            const x = left + (start - view.from) * scale;
            const size = Math.max(duration * scale, 0.7);
            if (x > width || x + size < left) continue;
            context.fillStyle = action === 0 ? (task[3] ? "#111" : color(task[1])) : fills[action] || "#bbb";
            const thin = action === 0 ? 0 : rowHeight / 4;
            context.fillRect(x, y + thin + 0.5, size, rowHeight - 2 * thin - 1);
          }
        }
      });
      context.restore();
      context.fillStyle = "#555";
      context.textAlign = "left";
      if (rowHeight >= 10) data.rows.forEach((name, row) => context.fillText(name, 2, (row + 1) * rowHeight - 5, left - 6));
    });
    const at = zoomable(view, left, canvas, repaint);
    canvas.addEventListener("mousemove", (event) => {
      const tasks = rows[Math.floor(event.offsetY / rowHeight)];
      const time = at(event);
      const slack = (view.to - view.from) / (canvas.clientWidth - left);
      let text = "";
      if (tasks && event.offsetX > left) {
        for (const task of tasks) {
          if (hidden.has(task[1])) continue;
          const hit = task[6].find(([, start, duration]) => time >= start - slack && time <= start + duration + slack);
          if (hit) {
            text = [task[2], data.actions[hit[0]] + ": " + seconds(hit[2]) + ", from " + seconds(hit[1]),
              data.rows[task[0]], task[3] || task[5] + ", " + bytes(task[4])].join("\n");
          }
        }
      }
      showTip(event, text);
    });
    const legend = make(root, "div", "legend");
    data.names.forEach(([name, count, time], index) => {
      const entry = make(legend, "span");
      make(entry, "i").style.background = color(index);
      make(entry, "span", "", `${name} (${count}, ${seconds(time)})`);
      entry.addEventListener("click", () => {
        if (!hidden.delete(index)) hidden.add(index);
        entry.classList.toggle("off", hidden.has(index));
        repaint();
      });
    });
    [["transfer", fills[1]], ["deserialize", fills[2]], ["error", "#111"]].forEach(([name, fill]) => {
      const entry = make(legend, "span");
      make(entry, "i").style.background = fill;
      make(entry, "span", "", name);
    });
    repaint();
  };

  const profile = (root, data) => {
    if (data.nodes.length < 2) { make(root, "p", "hint", "There are no samples."); return; }
    const nodes = data.nodes.map(([parent, line, count], index) => ({ index, parent, line, count, children: [], depth: 0 }));
    nodes.slice(1).forEach((node) => {
      node.depth = nodes[node.parent].depth + 1;
      nodes[node.parent].children.push(node);
    });
    nodes.forEach((node) => node.children.sort((first, second) => second.count - first.count));
    const deepest = nodes.reduce((most, node) => Math.max(most, node.depth), 0);
    const rowHeight = 18;
    const height = Math.min(deepest + 1, 60) * rowHeight + 2;
    let focus = nodes[0];
    let placed = [];
    const label = (node) => (node.index ? data.lines[node.line - 1][0] : "all samples");
    const { canvas, repaint } = canvasOf(root, height, (context, width) => {
      placed = [];
      const pending = [[focus, 0, width, 0]];
      context.textAlign = "left";
      while (pending.length) {
        const [node, x, size, depth] = pending.pop();
        if (size < 0.5 || depth * rowHeight > height) continue;
        placed.push([node, x, size, depth]);
        let hue = 0;
        for (const letter of label(node)) hue = (hue * 31 + letter.charCodeAt(0)) % 997;
        context.fillStyle = node.index ? `hsl(${20 + (hue % 40)} ${75 + (hue % 20)}% ${62 + (hue % 14)}%)` : "#ddd";
        context.fillRect(x, depth * rowHeight, Math.max(size - 0.5, 0.5), rowHeight - 1);
        if (size > 40) {
          context.save();
          context.beginPath();
          context.rect(x, depth * rowHeight, size - 3, rowHeight);
          context.clip();
          context.fillStyle = "#222";
          context.fillText(label(node), x + 3, depth * rowHeight + 13);
          context.restore();
        }
        let next = x;
        for (const child of node.children) {
          const share = (child.count / node.count) * size;
          pending.push([child, next, share, depth + 1]);
          next += share;
        }
      }
    });
    const find = (event) => {
      const depth = Math.floor(event.offsetY / rowHeight);
      return placed.find(([, x, size, level]) => level === depth && event.offsetX >= x && event.offsetX < x + size);
    };
    canvas.addEventListener("mousemove", (event) => {
      const hit = find(event);
      if (!hit) { showTip(event, ""); return; }
      const node = hit[0];
      const share = ((100 * node.count) / nodes[0].count).toFixed(1);
      const lines = [label(node), `${node.count} samples, about ${seconds(node.count * data.interval)}, ${share} %`];
      if (node.index) {
        const [, file, number, source] = data.lines[node.line - 1];
        lines.push(`${file}:${number}`, source);
      }
      showTip(event, lines.join("\n"));
    });
    canvas.addEventListener("click", (event) => {
      const hit = find(event);
      if (hit) focus = hit[0] === focus ? nodes[focus.parent] : hit[0];
      repaint();
    });
    repaint();
  };

  const lines = (root, data) => {
    if (!data.series.some((series) => series.points.length)) { make(root, "p", "hint", "There are no measurements."); return; }
    const left = 80;
    const height = 200;
    const format = formats[data.unit] || plain;
    let from = Infinity, to = -Infinity, top = 0;
    for (const series of data.series) {
      for (const [time, value] of series.points) {
        from = Math.min(from, time);
        to = Math.max(to, time);
        top = Math.max(top, value);
      }
    }
    const view = { from, to: to > from ? to : from + 1, selection: null };
    top = top || 1;
    const { canvas, repaint } = canvasOf(root, height, (context, width) => {
      paintTimes(context, view, left, width, height);
      const scaleX = (width - left) / (view.to - view.from);
      const scaleY = (height - 30) / top;
      context.textAlign = "right";
      for (const value of steps(0, top, 4)) {
        const y = height - 20 - value * scaleY;
        context.fillText(format(value), left - 6, y + 4);
        context.beginPath();
        context.moveTo(left, y);
        context.lineTo(width, y);
        context.stroke();
      }
      context.save();
      context.beginPath();
      context.rect(left, 0, width - left, height);
      context.clip();
      data.series.forEach((series, index) => {
        context.strokeStyle = context.fillStyle = color(index);
        context.beginPath();
        for (const [time, value] of series.points) {
          const x = left + (time - view.from) * scaleX;
          const y = height - 20 - value * scaleY;
          if (data.dots) context.fillRect(x - 1.5, y - 1.5, 3, 3);
          else context.lineTo(x, y);
        }
        context.stroke();
      });
      context.restore();
    });
    const at = zoomable(view, left, canvas, repaint);
    canvas.addEventListener("mousemove", (event) => {
      const time = at(event);
      const texts = data.series.map((series) => {
        let best = null;
        for (const point of series.points) {
          if (!best || Math.abs(point[0] - time) < Math.abs(best[0] - time)) best = point;
        }
        return best ? `${series.name}: ${format(best[1])}` : "";
      });
      showTip(event, [seconds(time), ...texts.slice(0, 24)].join("\n"));
    });
    const legend = make(root, "div", "legend");
    data.series.forEach((series, index) => {
      const entry = make(legend, "span");
      make(entry, "i").style.background = color(index);
      make(entry, "span", "", series.name);
    });
    repaint();
  };

  const kinds = { taskStream, profile, lines };
  for (const root of document.querySelectorAll("[data-kind]")) {
    kinds[root.dataset.kind](root, JSON.parse(root.querySelector("script").textContent));
  }
})();
