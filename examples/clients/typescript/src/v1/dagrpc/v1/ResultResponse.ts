// Original file: ../../../protos/dagrpc/v1/task_service.proto

import type { TaskStatus as _dagrpc_v1_TaskStatus, TaskStatus__Output as _dagrpc_v1_TaskStatus__Output } from '../../dagrpc/v1/TaskStatus';
import type { Long } from '@grpc/proto-loader';

export interface ResultResponse {
  'task'?: (_dagrpc_v1_TaskStatus | null);
  'totalBytes'?: (number | string | Long);
  'data'?: (Buffer | Uint8Array | string);
}

export interface ResultResponse__Output {
  'task': (_dagrpc_v1_TaskStatus__Output | null);
  'totalBytes': (number);
  'data': (Buffer);
}
