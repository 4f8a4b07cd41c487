// Original file: ../../../protos/dagrpc/v1/failure.proto

import type { ExitCause as _dagrpc_v1_ExitCause, ExitCause__Output as _dagrpc_v1_ExitCause__Output } from '../../dagrpc/v1/ExitCause';
import type { Long } from '@grpc/proto-loader';

export interface WorkerExit {
  'cause'?: (_dagrpc_v1_ExitCause);
  'reason'?: (string);
  'exitCode'?: (number);
  'memoryUsed'?: (number | string | Long);
  'memoryLimit'?: (number | string | Long);
  'logLines'?: (string)[];
}

export interface WorkerExit__Output {
  'cause': (_dagrpc_v1_ExitCause__Output);
  'reason': (string);
  'exitCode': (number);
  'memoryUsed': (number);
  'memoryLimit': (number);
  'logLines': (string)[];
}
