// Original file: ../../../protos/dagrpc/v1/graph.proto

import type { SharedPayload as _dagrpc_v1_SharedPayload, SharedPayload__Output as _dagrpc_v1_SharedPayload__Output } from '../../dagrpc/v1/SharedPayload';
import type { TaskOptions as _dagrpc_v1_TaskOptions, TaskOptions__Output as _dagrpc_v1_TaskOptions__Output } from '../../dagrpc/v1/TaskOptions';
import type { TaskSpec as _dagrpc_v1_TaskSpec, TaskSpec__Output as _dagrpc_v1_TaskSpec__Output } from '../../dagrpc/v1/TaskSpec';

export interface GraphPart {
  'graphId'?: (string);
  'last'?: (boolean);
  'shared'?: (_dagrpc_v1_SharedPayload)[];
  'options'?: (_dagrpc_v1_TaskOptions)[];
  'tasks'?: (_dagrpc_v1_TaskSpec)[];
  'fifoTimeoutSeconds'?: (number | string);
  'submitter'?: (string);
  'groups'?: (string)[];
  'code'?: (string)[];
}

export interface GraphPart__Output {
  'graphId': (string);
  'last': (boolean);
  'shared': (_dagrpc_v1_SharedPayload__Output)[];
  'options': (_dagrpc_v1_TaskOptions__Output)[];
  'tasks': (_dagrpc_v1_TaskSpec__Output)[];
  'fifoTimeoutSeconds': (number);
  'submitter': (string);
  'groups': (string)[];
  'code': (string)[];
}
