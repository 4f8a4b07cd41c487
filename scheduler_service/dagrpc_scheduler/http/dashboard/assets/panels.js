// The panels by the names that the scheduler's table has. A maker fills a place and returns {draw, close}.

import { bandwidthMatrix, transferTimeline } from "./transfers.js";
import { clientsTable } from "./clients.js";
import { clusterMemory, memoryByPrefix, memoryOverTime } from "./memory.js";
import { errorList } from "./errors.js";
import { eventList, logList } from "./events.js";
import { figures } from "./figures.js";
import { graph } from "./graph.js";
import { groupsTable } from "./groups.js";
import { profile } from "./profile.js";
import { progress } from "./progress.js";
import { schedulerFigures } from "./scheduler.js";
import { taskStream } from "./task_stream.js";
import { workerBars } from "./worker_bars.js";
import { workers } from "./workers.js";

export const makers = {
  figures,
  "cluster-memory": clusterMemory,
  "workers-memory": workerBars("memory"),
  cpu: workerBars("cpu"),
  nprocessing: workerBars("processing"),
  occupancy: workerBars("occupancy"),
  progress,
  "task-stream": taskStream,
  workers,
  graph,
  groups: groupsTable,
  profile: profile("tasks"),
  "profile-workers": profile("workers"),
  "profile-server": profile("scheduler"),
  transfers: transferTimeline,
  "bandwidth-workers": bandwidthMatrix,
  "memory-by-key": memoryByPrefix,
  "memory-over-time": memoryOverTime,
  errors: errorList,
  clients: clientsTable,
  events: eventList,
  logs: logList,
  "scheduler-system": schedulerFigures,
};
