// Groups of tasks, which were made together, as a table.

import { DataTable } from "./data_table.js";
import { STATES } from "./colors.js";
import { bytes, count, seconds } from "./format.js";

export function groupsTable(host, { store }) {
  const columns = [
    { title: "Group", value: (row, name) => name },
    { title: "Prefix", value: (row) => row.prefix },
    { title: "Tasks", value: (row) => row.size, text: (row) => count(row.size) },
    ...STATES.map((state, index) => ({ title: state, value: (row) => row.counts[index], text: (row) => count(row.counts[index]) })),
    { title: "Average time", value: (row) => row.seconds, text: (row) => seconds(row.seconds) },
    { title: "Average size", value: (row) => row.nbytes, text: (row) => (row.nbytes >= 0 ? bytes(row.nbytes) : "–") },
  ];
  const table = new DataTable(host, { label: "Groups", columns, sort: 2, descending: true });
  return { draw: () => table.set(store.table("groups")), close: () => table.close() };
}
