// Original file: ../../../protos/dagrpc/v1/task_service.proto

import type { LeasedState as _dagrpc_v1_LeasedState, LeasedState__Output as _dagrpc_v1_LeasedState__Output } from '../../dagrpc/v1/LeasedState';
import type { Payload as _dagrpc_v1_Payload, Payload__Output as _dagrpc_v1_Payload__Output } from '../../dagrpc/v1/Payload';
import type { Failure as _dagrpc_v1_Failure, Failure__Output as _dagrpc_v1_Failure__Output } from '../../dagrpc/v1/Failure';
import type { DataOutcome as _dagrpc_v1_DataOutcome, DataOutcome__Output as _dagrpc_v1_DataOutcome__Output } from '../../dagrpc/v1/DataOutcome';
import type { Long } from '@grpc/proto-loader';

export interface TaskStatus {
  'key'?: (string);
  'state'?: (_dagrpc_v1_LeasedState);
  'nbytes'?: (number | string | Long);
  'typeName'?: (string);
  'value'?: (_dagrpc_v1_Payload | null);
  'failure'?: (_dagrpc_v1_Failure | null);
  'reason'?: (string);
  'cursor'?: (number | string | Long);
  'valueOutcome'?: (_dagrpc_v1_DataOutcome);
}

export interface TaskStatus__Output {
  'key': (string);
  'state': (_dagrpc_v1_LeasedState__Output);
  'nbytes': (number);
  'typeName': (string);
  'value': (_dagrpc_v1_Payload__Output | null);
  'failure': (_dagrpc_v1_Failure__Output | null);
  'reason': (string);
  'cursor': (number);
  'valueOutcome': (_dagrpc_v1_DataOutcome__Output);
}
