// Original file: ../../../protos/dagrpc/v1/graph.proto

import type { Call as _dagrpc_v1_Call, Call__Output as _dagrpc_v1_Call__Output } from '../../dagrpc/v1/Call';
import type { Long } from '@grpc/proto-loader';

export interface TaskSpec {
  'key'?: (string);
  'dependencies'?: (string)[];
  'runSpec'?: (Buffer | Uint8Array | string);
  'call'?: (_dagrpc_v1_Call | null);
  'shared'?: (number)[];
  'options'?: (number);
  'order'?: (number | string | Long);
  'wanted'?: (boolean);
  'work'?: "runSpec"|"call";
}

export interface TaskSpec__Output {
  'key': (string);
  'dependencies': (string)[];
  'runSpec'?: (Buffer);
  'call'?: (_dagrpc_v1_Call__Output | null);
  'shared': (number)[];
  'options': (number);
  'order': (number);
  'wanted': (boolean);
  'work'?: "runSpec"|"call";
}
