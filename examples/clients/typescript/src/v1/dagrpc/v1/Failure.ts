// Original file: ../../../protos/dagrpc/v1/failure.proto

import type { FailureKind as _dagrpc_v1_FailureKind, FailureKind__Output as _dagrpc_v1_FailureKind__Output } from '../../dagrpc/v1/FailureKind';
import type { Payload as _dagrpc_v1_Payload, Payload__Output as _dagrpc_v1_Payload__Output } from '../../dagrpc/v1/Payload';
import type { WorkerExit as _dagrpc_v1_WorkerExit, WorkerExit__Output as _dagrpc_v1_WorkerExit__Output } from '../../dagrpc/v1/WorkerExit';

export interface Failure {
  'kind'?: (_dagrpc_v1_FailureKind);
  'typeName'?: (string);
  'message'?: (string);
  'tracebackText'?: (string);
  'exception'?: (_dagrpc_v1_Payload | null);
  'originKey'?: (string);
  'worker'?: (string);
  'workerDeaths'?: (number);
  'workerExit'?: (_dagrpc_v1_WorkerExit | null);
  'workerLoss'?: (string);
}

export interface Failure__Output {
  'kind': (_dagrpc_v1_FailureKind__Output);
  'typeName': (string);
  'message': (string);
  'tracebackText': (string);
  'exception': (_dagrpc_v1_Payload__Output | null);
  'originKey': (string);
  'worker': (string);
  'workerDeaths': (number);
  'workerExit': (_dagrpc_v1_WorkerExit__Output | null);
  'workerLoss': (string);
}
