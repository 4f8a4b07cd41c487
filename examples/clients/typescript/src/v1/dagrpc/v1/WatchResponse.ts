// Original file: ../../../protos/dagrpc/v1/task_service.proto

import type { TaskStatus as _dagrpc_v1_TaskStatus, TaskStatus__Output as _dagrpc_v1_TaskStatus__Output } from '../../dagrpc/v1/TaskStatus';

export interface WatchResponse {
  'task'?: (_dagrpc_v1_TaskStatus | null);
  'tasks'?: (_dagrpc_v1_TaskStatus)[];
}

export interface WatchResponse__Output {
  'task': (_dagrpc_v1_TaskStatus__Output | null);
  'tasks': (_dagrpc_v1_TaskStatus__Output)[];
}
