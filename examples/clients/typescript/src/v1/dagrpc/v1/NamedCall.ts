// Original file: ../../../protos/dagrpc/v1/task_service.proto

import type { Call as _dagrpc_v1_Call, Call__Output as _dagrpc_v1_Call__Output } from '../../dagrpc/v1/Call';
import type { TaskOptions as _dagrpc_v1_TaskOptions, TaskOptions__Output as _dagrpc_v1_TaskOptions__Output } from '../../dagrpc/v1/TaskOptions';

export interface NamedCall {
  'key'?: (string);
  'call'?: (_dagrpc_v1_Call | null);
  'options'?: (_dagrpc_v1_TaskOptions | null);
}

export interface NamedCall__Output {
  'key': (string);
  'call': (_dagrpc_v1_Call__Output | null);
  'options': (_dagrpc_v1_TaskOptions__Output | null);
}
