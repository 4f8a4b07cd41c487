// Clients and what they want, as a table.

import { DataTable } from "./data_table.js";
import { STATES } from "./colors.js";
import { count } from "./format.js";

export function clientsTable(host, { store }) {
  const columns = [
    { title: "Client", value: (row, name) => name },
    { title: "Session", value: (row) => row.kind },
    { title: "Wants", value: (row) => row.wants, text: (row) => count(row.wants) },
    ...STATES.map((state, index) => ({ title: state, value: (row) => row.counts[index], text: (row) => count(row.counts[index]) })),
    { title: "Messages waiting", value: (row) => row.queued, text: (row) => count(row.queued) },
  ];
  const table = new DataTable(host, { label: "Clients", columns });
  return { draw: () => table.set(store.table("clients")), close: () => table.close() };
}
