// Original file: ../../../protos/dagrpc/v1/task_service.proto

import type { TaskStatus as _dagrpc_v1_TaskStatus, TaskStatus__Output as _dagrpc_v1_TaskStatus__Output } from '../../dagrpc/v1/TaskStatus';

export interface SubmitResponse {
  'lease'?: (string);
  'tasks'?: (_dagrpc_v1_TaskStatus)[];
}

export interface SubmitResponse__Output {
  'lease': (string);
  'tasks': (_dagrpc_v1_TaskStatus__Output)[];
}
