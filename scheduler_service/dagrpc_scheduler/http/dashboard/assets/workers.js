// All workers as a table, or the page of one worker.

import { DataTable } from "./data_table.js";
import { bytes, count, percent, seconds } from "./format.js";
import { workerPage } from "./worker_page.js";

/** The page of one worker shows more than the table does. */
workers.alsoReads = (context) => (context.parameter("worker") ? ["transfers"] : []);

export function workers(host, context) {
  const one = context.parameter("worker");
  if (one) return workerPage(host, context, one);
  const columns = [
    { title: "Name", value: (row) => row.name, open: (row, address) => context.openWorker(address) },
    { title: "Address", value: (row, address) => address },
    { title: "Status", value: (row) => row.status },
    { title: "Threads", value: (row) => row.nthreads, text: (row) => count(row.nthreads) },
    { title: "CPU", value: (row) => row.cpu, text: (row) => percent(row.cpu), bar: (row) => row.cpu / (100 * row.nthreads) },
    { title: "Memory", value: (row) => row.memory, text: (row) => bytes(row.memory), bar: (row) => row.limit && row.memory / row.limit },
    { title: "Limit", value: (row) => row.limit, text: (row) => (row.limit ? bytes(row.limit) : "none") },
    { title: "Managed", value: (row) => row.managed, text: (row) => bytes(row.managed) },
    { title: "Spilled", value: (row) => row.spilled, text: (row) => bytes(row.spilled) },
    { title: "Processing", value: (row) => row.processing, text: (row) => count(row.processing) },
    { title: "Running", value: (row) => row.executing, text: (row) => count(row.executing) },
    { title: "In memory", value: (row) => row.in_memory, text: (row) => count(row.in_memory) },
    { title: "Occupancy", value: (row) => row.occupancy, text: (row) => seconds(row.occupancy) },
    { title: "Transfers in/out", value: (row) => row.incoming + row.outgoing, text: (row) => `${row.incoming}/${row.outgoing}` },
    { title: "Files", value: (row) => row.fds, text: (row) => count(row.fds) },
    { title: "Loop lag", value: (row) => row.lag, text: (row) => seconds(row.lag) },
  ];
  const table = new DataTable(host, { label: "Workers", columns });
  return { draw: () => table.set(context.store.table("workers")), close: () => table.close() };
}
