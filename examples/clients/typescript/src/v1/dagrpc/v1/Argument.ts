// Original file: ../../../protos/dagrpc/v1/graph.proto

import type { Payload as _dagrpc_v1_Payload, Payload__Output as _dagrpc_v1_Payload__Output } from '../../dagrpc/v1/Payload';

export interface Argument {
  'value'?: (_dagrpc_v1_Payload | null);
  'task'?: (string);
  'source'?: "value"|"task";
}

export interface Argument__Output {
  'value'?: (_dagrpc_v1_Payload__Output | null);
  'task'?: (string);
  'source'?: "value"|"task";
}
