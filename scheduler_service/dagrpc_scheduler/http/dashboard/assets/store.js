// What the scheduler told: one stream of changes, applied to tables (maps of rows) and tails (lists of rows).

const LONGEST_TAIL = { tasks: 60_000, transfers: 10_000, events: 5_000, logs: 2_000 };

export class Store {
  /** `changed(feeds)` is called, at most once a frame, with the names of the feeds that changed. */
  constructor(feeds, changed, connection) {
    this.feeds = feeds;
    this.time = Date.now() / 1000;
    this.tables = new Map();
    this.tails = new Map();
    this.origin = {};
    this.skipped = {};
    this.pending = new Set();
    this.frame = 0;
    this.changed = changed;
    this.connection = connection;
    this.onVisibility = () => (document.hidden ? this.disconnect() : this.connect());
    document.addEventListener("visibilitychange", this.onVisibility);
    if (!document.hidden) this.connect();
  }

  table(name) { return this.tables.get(name) ?? new Map(); }

  tail(name) { return this.tails.get(name) ?? []; }

  /** Return the rows of a table as an object, such as the figures of the summary. */
  figures(name) { return Object.fromEntries(this.table(name)); }

  connect() {
    if (this.source || !this.feeds.length) return;
    this.connection("connecting");
    this.source = new EventSource(`stream?feeds=${this.feeds.join(",")}`);
    // A new connection begins with everything.
    this.source.addEventListener("open", () => { this.tables.clear(); this.tails.clear(); });
    this.source.addEventListener("message", (event) => { this.take(JSON.parse(event.data)); this.connection("live"); });
    this.source.addEventListener("error", () => this.connection("reconnecting"));
  }

  disconnect() {
    this.source?.close();
    this.source = undefined;
  }

  close() {
    this.disconnect();
    cancelAnimationFrame(this.frame);
    document.removeEventListener("visibilitychange", this.onVisibility);
  }

  take({ time, ...feeds }) {
    this.time = time;
    this.received = performance.now();
    for (const [name, news] of Object.entries(feeds)) {
      if (news.set) this.change(name, news);
      else if (Array.isArray(news)) this.extend(name, news);
      else {
        if (news.origin !== undefined) { this.tails.delete(name); this.origin[name] = news.origin; }
        this.skipped[name] = news.skipped;
        this.extend(name, news.rows);
      }
      this.pending.add(name);
    }
    if (this.pending.size && !this.frame) {
      this.frame = requestAnimationFrame(() => {
        this.frame = 0;
        const names = this.pending;
        this.pending = new Set();
        this.changed(names);
      });
    }
  }

  change(name, { set, gone }) {
    const table = this.tables.get(name) ?? this.tables.set(name, new Map()).get(name);
    for (const [key, row] of Object.entries(set)) table.set(key, row);
    for (const key of gone) table.delete(key);
  }

  extend(name, rows) {
    const tail = this.tails.get(name) ?? this.tails.set(name, []).get(name);
    for (const row of rows) tail.push(row);
    const limit = LONGEST_TAIL[name];
    // Cut in large steps, since each cut moves the rest.
    if (tail.length > limit * 1.1) tail.splice(0, tail.length - limit);
  }

  /** Return the scheduler's time now. */
  now() { return this.time + (performance.now() - (this.received ?? performance.now())) / 1000; }
}
